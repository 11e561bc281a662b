"""`python -m deploy.manual build` makes the site in dist/docs; `check` reads the sources only, in a second."""

from __future__ import annotations

import sys

from deploy.manual import checks

SITE = checks.REPOSITORY / "dist/docs"


def main() -> int:
    """Do what the one argument says; returns the exit code."""
    if sys.argv[1:] == ["check"]:
        found = checks.all_faults()
        print("\n".join(found), end="\n" if found else "", file=sys.stderr)
        return bool(found)
    from deploy.manual import site  # noqa: PLC0415 - Sphinx and the service take seconds, which `check` need not wait

    site.build(SITE)
    found = checks.faults_of_site(SITE)
    print("\n".join(found) or f"the manual is in {SITE}/index.html")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
