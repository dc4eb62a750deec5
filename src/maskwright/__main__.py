"""`python -m maskwright` is the command `maskwright`."""

from maskwright.cli.main import run

if __name__ == "__main__":
    run()
