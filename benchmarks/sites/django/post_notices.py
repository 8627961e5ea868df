"""Make the database and twenty notices, enough for a page."""

import prepare

prepare.main()

from notices.models import Notice  # noqa: E402  (Django is set up by main)

text = "The quick brown fox jumps over the lazy dog. " * 4
Notice.objects.bulk_create(
    Notice(title=f"Notice {number}", text=text) for number in range(20)
)
