"""Names of people and of programs, as plausible as they are made up."""

from __future__ import annotations

FIRST = (
    "Ana", "Ben", "Chi", "Dana", "Emil", "Farah", "Greta", "Hugo", "Ivo", "Jana", "Kofi", "Lena", "Mara", "Nils",
    "Olga", "Piet", "Rosa", "Sven", "Tara", "Udo", "Vera", "Wim", "Yara", "Zeno",
)  # fmt: skip
LAST = (
    "Ortiz", "Kovac", "Nguyen", "Fox", "Berg", "Aziz", "Lund", "Stein", "Petrov", "Marek", "Mensah", "Vogel", "Silva",
    "Holm", "Orlova", "Smit", "Conti", "Falk", "Singh", "Wolf", "Blum", "Jong", "Haddad", "Roth", "O'Neil",
)  # fmt: skip
QUALIFIERS = ("", "-2", "-eu", "-dev", "-v2", "-b", "-us", "-next", "s")
"""What a second worker of a kind is called after the first: names that look alike."""


def person(index: int) -> str:
    """The name of the person of this number; no two are the same below 600, then they carry a number."""
    first = FIRST[index % len(FIRST)]
    last = LAST[(index + index // (len(FIRST) * len(LAST))) % len(LAST)]
    return f"{first} {last}" if index < len(FIRST) * len(LAST) else f"{first} {last} {index}"


def alike(base: str, index: int) -> str:
    """The name of a kind's worker of this number: `support-agent`, `support-agent-2`, `support-agent-eu`, ..."""
    return f"{base}{QUALIFIERS[index]}" if index < len(QUALIFIERS) else f"{base}-{index - len(QUALIFIERS) + 3}"


def boto(minor: int, python: str) -> str:
    """The user agent of a program that uses boto3."""
    version = f"1.{minor}.{minor * 7 % 30}"
    return (
        f"Boto3/{version} md/Botocore#{version} ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#{python} "
        f"md/pyimpl#CPython m/Z,b cfg/retry-mode#standard Botocore/{version}"
    )


def agent(family: str, release: int) -> str:
    """The user agent of the program of a family at its deploy of this number (0, 1, ...)."""
    return {
        "boto": boto(36 + release, f"3.{11 + release}.{8 - release}"),
        "go": f"aws-sdk-go-v2/1.{32 + release}.7 ua/2.1 os/linux lang/go#1.{23 + release}.4 md/GOOS#linux",
        "java": f"aws-sdk-java/2.{30 + release}.6 ua/2.1 os/Linux#5.15.0 lang/java#21.0.5 cfg/retry-mode#legacy",
        "node": f"aws-sdk-js/3.{700 + 12 * release}.0 ua/2.1 os/linux#6.1.0 lang/js md/nodejs#20.{11 + release}.1",
        "terraform": f"APN/1.0 HashiCorp/1.0 Terraform/1.{9 + release}.5 aws-sdk-go-v2/1.{30 + release}.3",
    }[family]


BROWSERS = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0",
)
CLI = "aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.1 os/macos#24.3.0 md/arch#arm64 lang/python#3.12.6 md/command#s3.cp"
