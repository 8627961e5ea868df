"""What can be edited in the admin."""

from django.contrib import admin

from notices.models import Document, Notice


@admin.register(Notice)
class NoticeAdmin(admin.ModelAdmin):
    """Write and remove notices."""

    list_display = ["title", "posted_at"]
    search_fields = ["title", "text"]


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    """See what was uploaded."""

    list_display = ["name", "size", "uploaded_at"]
    readonly_fields = ["name", "size", "file"]
