"""How the demo says what it did, and that what it saw was right."""


def tell(step: str, result: str) -> None:
    print(f"  {step:<16}{result}", flush=True)


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence at the call
    """Raises ValueError."""
    if not holds:
        raise ValueError(f"not so: {what}")
    tell("", what)
