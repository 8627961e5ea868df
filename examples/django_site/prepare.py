"""Make the example ready to serve: database, first notices, a user `admin`.

`make serve` runs this each time; what is done already it leaves alone.  The
user admin with the password admin is for this demonstration only.
"""

import os
import pwd
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    """Migrate, and make the demonstration's user."""
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "noticeboard.settings")

    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.DATA_DIR.mkdir(exist_ok=True)
    settings.MEDIA_ROOT.mkdir(exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
    make_admin()
    if os.geteuid() == 0:
        give_away(settings.DATA_DIR)


def make_admin():
    """The user admin, unless there is one (who may have another password)."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", password="admin")
        print("Made the user admin with the password admin (for this example only).")


def give_away(folder):
    """Let the user write who runs the site when root starts the server.

    Apps never run as root: root's become those of nobody.
    """
    owner = HERE.joinpath("noticeboard", "wsgi.py").lstat().st_uid
    user = pwd.getpwnam("nobody") if owner == 0 else pwd.getpwuid(owner)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    # Root may enter any folder, so only that user can find out.
    command = ["/bin/sh", "-c", 'cd "$1" && "$0" -c ""', sys.executable, HERE]
    ended = subprocess.run(
        command,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode:
        print(
            f"Warning: the site runs as {user.pw_name}, who cannot enter {HERE} or "
            f"cannot run {sys.executable}. Put both where everybody can.",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
