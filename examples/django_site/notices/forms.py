"""What visitors fill in."""

from django import forms

MAX_UPLOAD = 20 * 1024 * 1024


class UploadForm(forms.Form):
    """One file to put on the board."""

    file = forms.FileField(label="File", max_length=255)

    def clean_file(self):
        """Refuse what is too large for a demonstration."""
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD:
            raise forms.ValidationError("At most 20 MiB, please.")
        return file
