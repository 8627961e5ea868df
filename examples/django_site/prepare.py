"""Make the example ready to serve: database, static files, a user `admin`.

`make serve` runs this each time; what is done already it leaves alone.  The
user admin with the password admin is for this demonstration only.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    """Migrate, collect static files, and make the demonstration's user."""
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noticeboard.settings")

    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.DATA_DIR.mkdir(exist_ok=True)
    settings.MEDIA_ROOT.mkdir(exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    make_admin()


def make_admin():
    """The user admin, unless there is one (who may have another password)."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", password="admin")
        print("Made the user admin with the password admin (for this example only).")


if __name__ == "__main__":
    main()
