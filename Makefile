# The few commands a person uses; what they do is written in README.md.

PORT ?= 7071
DATA ?=
# Which files `make mutation` changes, if not those that it lists itself.
FILES ?=
# MARKDOWN=1: a bench says as well what it was measured on, as bench/RESULTS.md has it.
MARKDOWN ?=
PYTHON := .venv/bin/python
# A further checker of Bicep, from outside this repository, if there is one.
SECOND_OPINION ?=

# Compiled modules are kept: without them the stack starts several times slower.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run sidebar demo test test-browser lint infra package bench bench-retention bench-deletion bench-store \
    bench-coldstart bench-proxy fuzz-tokens race crash mutation lock bootstrap
.DEFAULT_GOAL := run

run: bootstrap  ## serve the local stack until Ctrl-C; PORT=7071, DATA=folder keeps what is stored
	@exec $(PYTHON) -m local run --port $(PORT) $(if $(DATA),--data "$(DATA)")

sidebar: bootstrap  ## the demo sidebar of a running stack, in a Chromium that knows the stack
	@exec $(PYTHON) -m local.browser "$(or $(DATA),.local/$(PORT))"

demo: bootstrap  ## walk the whole journey through HTTP, and say whether it worked
	@exec $(PYTHON) -m local demo

test: bootstrap  ## everything that needs no browser
	$(PYTHON) -m pytest -n 2 --dist loadfile -m "not browser"

test-browser: bootstrap  ## the journey in Chromium, against the demo sidebar
	@$(PYTHON) -m local.chromium
	$(PYTHON) -m pytest -m browser tests/browser

lint: bootstrap  ## formatting, rules, types, who may import whom, who may speak HTTP, what is stored
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTHON) tools/check_handlers.py
	$(PYTHON) tools/data_inventory.py --check

infra: bootstrap .venv-infra/bootstrap.stamp  ## what can be known of bicep/ and the workflows without Azure
	$(PYTHON) -m tools.infra
	$(PYTHON) -m tools.infra.scan
	.venv-infra/bin/zizmor --offline --quiet .github
	.venv-infra/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv-infra/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	$(if $(SECOND_OPINION),$(PYTHON) $(SECOND_OPINION) bicep)
	$(PYTHON) -m pytest tests/infra
	$(PYTHON) -m pytest tests/infra/with_checkov.py

package: bootstrap  ## dist/flowrunner.zip: what is deployed, with its size and cold start
	@$(PYTHON) -m tools.package --measure

bench:  ## every comparison; bench/README.md says what each shows. A missed aim stops none of the others
	@$(MAKE) --keep-going bench-retention bench-deletion bench-store bench-coldstart bench-proxy

bench-retention: bootstrap  ## expired rows among kept ones, against deleting row by row
	@$(PYTHON) -m bench.retention

bench-store: bootstrap  ## rows of runs: our group commit against azure-data-tables
	@$(PYTHON) -m bench.store $(if $(MARKDOWN),--markdown)

bench-coldstart: bootstrap  ## process start to first answer, against a minimal azure.functions app
	@$(PYTHON) -m bench.first_answers $(if $(MARKDOWN),--markdown)

bench-proxy: bootstrap  ## a warm call of a Flow through the service, and by other ways to the same org
	@$(PYTHON) -m bench.proxy $(if $(MARKDOWN),--markdown)

mutation: bootstrap  ## small wrong changes to the code that keeps grants: does a test notice?
	@$(PYTHON) -m bench.mutation $(FILES)

fuzz-tokens: bootstrap  ## 100,000 altered tokens, and 2,000 over HTTP: none may be accepted
	@$(PYTHON) -m bench.fuzz_tokens

race: bootstrap  ## 300 times 64 callers in 8 processes on one expired grant: it is redeemed once
	@$(PYTHON) -m bench.race

crash: bootstrap  ## SIGKILL at every request of what touches a grant: what is left, and what is lost
	@$(PYTHON) -m bench.crash

bench-deletion: bootstrap  ## a tenant with 10,000 rows, from the confirmation to the receipt
	@$(PYTHON) -m bench.deletion

lock:  ## compile requirements*.txt anew from pyproject.toml; needs uv
	uv pip compile pyproject.toml --universal --python-version 3.13 --generate-hashes \
	    --no-header --no-emit-index-url -o requirements.txt
	uv pip compile pyproject.toml --universal --python-version 3.13 --generate-hashes \
	    --no-header --no-emit-index-url --group dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --universal --python-version 3.13 --generate-hashes \
	    --no-header --no-emit-index-url --group infra -o requirements-infra.txt

# Scanners hold many packages at old versions, so they have a folder of their own.
.venv-infra/bootstrap.stamp: requirements-infra.txt | bootstrap
	$(PYTHON) -m venv --clear .venv-infra
	.venv-infra/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

bootstrap:
	@local/bootstrap.sh
