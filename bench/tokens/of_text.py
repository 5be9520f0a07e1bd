"""Tokens altered as texts: characters, parts and spellings, whatever they mean."""

import base64
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from bench.tokens.specimen import Mutation, Specimen, part_bytes
from tests.identity.tokens import base64url

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_ODD_CHARACTERS: Final = ". \t\r\n\x00=+/~%,;\"'{}*é\u200b\ufeff\u0430\uff21\u2024\U0001d400"
_WHITE: Final = (" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\ufeff", "\x0b", "\x00")
_LOOK_ALIKES: Final = {
    "a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441", "y": "\u0443",
    "A": "\u0391", "B": "\u0392", "I": "\u2160", ".": "\u2024", "-": "\u2010", "_": "\uff3f",
    "0": "\uff10", "1": "\u0661", "k": "\u212a", "s": "\u017f",
}  # fmt: skip


def _flip_a_bit(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    index = rng.randrange(3)
    data = bytearray(part_bytes(specimen.parts[index]))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return specimen.with_part(index, base64url(bytes(data)))


def _replace_characters(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    text = list(specimen.text)
    for _again in range(rng.choice((1, 1, 2, 8))):
        text[rng.randrange(len(text))] = rng.choice(_ALPHABET)
    return "".join(text)


def _insert(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    at = rng.randrange(len(specimen.text) + 1)
    added = "".join(rng.choice(_ALPHABET + _ODD_CHARACTERS) for _ in range(rng.choice((1, 1, 4))))
    return specimen.text[:at] + added + specimen.text[at:]


def _delete(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    at = rng.randrange(len(specimen.text))
    return specimen.text[:at] + specimen.text[at + rng.choice((1, 1, 2, 4, 16)) :]


def _truncate(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    whole = specimen.text
    cut = rng.randrange(1, len(whole))
    return whole[:cut] if rng.random() < 0.7 else whole[cut:]  # noqa: PLR2004 - more often the end


def _concatenate(rng: Random, specimen: Specimen, others: Sequence[Specimen]) -> str:
    other = rng.choice(others).text
    joint = rng.choice(("", ".", "..", ",", " ", "~", "\x00"))
    return rng.choice((f"{specimen.text}{joint}{other}", f"{joint or '.'}{specimen.text}{joint}"))


def _swap_parts(rng: Random, specimen: Specimen, others: Sequence[Specimen]) -> str:
    """With another token, or within this one."""
    if rng.random() < 0.2:  # noqa: PLR2004 - five orders are soon seen
        return ".".join(rng.sample(specimen.parts, 3))
    index = rng.randrange(3)
    return specimen.with_part(index, rng.choice(others).parts[index])


def _drop_parts(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    header, claims, signature = specimen.parts
    return rng.choice(
        (
            f"{header}.{claims}.", f"{header}.{claims}", f"{header}..{signature}", header, "...",
            f".{claims}.{signature}", f"{claims}.{signature}", f"{specimen.text}.", "..", ".",
            f"{specimen.text}.{signature}", f"{header}.{claims}.{signature}.{claims}.{header}",
        )
    )  # fmt: skip


def _spell_base64_otherwise(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    index = rng.randrange(3)
    own = specimen.parts[index]
    last = _ALPHABET[_ALPHABET.index(own[-1]) ^ rng.randrange(1, 16)]
    spelt = rng.choice(
        (
            own + "=" * rng.choice((1, 2, 3, 4)), own[:-1] + last, base64url(own.encode()),
            own.replace("-", "+").replace("_", "/"), "=" + own, own[:4] + "=" + own[4:],
            base64.b64encode(part_bytes(own)).decode(), base64.b32encode(part_bytes(own)).decode(),
            part_bytes(own).hex(), own[:4] + "\n" + own[4:], own[:4] + "%2D" + own[4:],
        )
    )  # fmt: skip
    return specimen.with_part(index, spelt)


def _put_white_space(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    white = rng.choice(_WHITE) * rng.choice((1, 1, 3))
    at = rng.choice((0, len(specimen.text), rng.randrange(len(specimen.text))))
    return specimen.text[:at] + white + specimen.text[at:]


def _put_look_alikes(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    text = list(specimen.text)
    places = [at for at, char in enumerate(text) if char in _LOOK_ALIKES]
    for at in rng.sample(places, min(len(places), rng.choice((1, 2, 50)))):
        text[at] = _LOOK_ALIKES[text[at]]
    return "".join(text)


def _change_case(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    text = specimen.text
    at = rng.randrange(len(text))
    return rng.choice(
        (text.upper(), text.lower(), text.swapcase(), text[:at] + text[at:].swapcase(),
         text[:at] + text[at].swapcase() + text[at + 1 :])
    )  # fmt: skip


TEXT_MUTATIONS: Final[Mapping[str, Mutation]] = {
    "a bit flipped": _flip_a_bit,
    "characters replaced": _replace_characters,
    "bytes inserted": _insert,
    "bytes deleted": _delete,
    "truncated": _truncate,
    "concatenated": _concatenate,
    "parts swapped": _swap_parts,
    "parts dropped": _drop_parts,
    "base64 spelt otherwise": _spell_base64_otherwise,
    "white space": _put_white_space,
    "look-alikes": _put_look_alikes,
    "case changed": _change_case,
}
