"""``python -m sparseforge``."""

from sparseforge.cli import main

if __name__ == "__main__":
    main()
