"""All that the simulator knows at one moment."""

from collections.abc import Callable

from local.simulators.salesforce.app import App, Scripted
from local.simulators.salesforce.cursors import Cursors
from local.simulators.salesforce.grants import Grants
from local.simulators.salesforce.ledger import Ledger
from local.simulators.salesforce.mishaps import Mishaps
from local.simulators.salesforce.one_time_passwords import OneTimePasswords
from local.simulators.salesforce.orgs_at_start import orgs_at_start


class State:
    """Shared by every endpoint. `clock` gives Unix seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.app = App()
        self.reset()

    def reset(self) -> None:
        """As after start. The registered callback URLs stay: the stack registers them once."""
        self.app = App(redirect_uris=self.app.redirect_uris)
        self.orgs = orgs_at_start()
        self.grants = Grants(clock=self.clock)
        self.ledger = Ledger()
        self.scripted = Scripted()
        self.mishaps = Mishaps()
        self.cursors = Cursors()
        self.one_time_passwords = OneTimePasswords(clock=self.clock)
