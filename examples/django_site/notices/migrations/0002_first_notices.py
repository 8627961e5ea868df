"""Something to read on the first visit."""

from django.db import migrations

FIRST = {
    "Welcome": "This board is a Django site served by passtwist.",
    "How to post": "Sign in to the admin as admin with the password admin, "
    "and add a notice.",
}


def post(apps, schema_editor):
    """Add the first notices."""
    notices = apps.get_model("notices", "Notice").objects
    for title, text in reversed(FIRST.items()):
        notices.create(title=title, text=text)


def take_down(apps, schema_editor):
    """Remove them again."""
    apps.get_model("notices", "Notice").objects.filter(title__in=FIRST).delete()


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial")]
    operations = [migrations.RunPython(post, take_down)]
