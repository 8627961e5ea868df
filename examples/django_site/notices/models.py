"""What the board keeps."""

from django.db import models


class Notice(models.Model):
    """A short text that everybody sees on the first page."""

    title = models.CharField(max_length=80)
    text = models.TextField(blank=True)
    posted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-posted_at", "-pk"]

    def __str__(self):
        return self.title


class Document(models.Model):
    """An uploaded file.

    The name that its owner gave it is kept apart from the name that it has
    on disk, which Django makes safe and unique.
    """

    name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    file = models.FileField(upload_to="documents/%Y/%m/")
    uploaded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-uploaded_at", "-pk"]

    def __str__(self):
        return self.name
