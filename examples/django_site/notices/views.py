"""The pages of the board."""

from django.contrib import messages
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from notices.forms import UploadForm
from notices.models import Document, Notice


@require_safe
def board(request):
    """All notices, and how often this visitor has been here."""
    visits = request.session["visits"] = request.session.get("visits", 0) + 1
    context = {"notices": Notice.objects.all(), "visits": visits}
    return render(request, "notices/board.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def files(request):
    """The uploaded files, and a form to upload another one."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        upload = form.cleaned_data["file"]
        Document.objects.create(name=upload.name, size=upload.size, file=upload)
        messages.success(request, f"{upload.name} is on the board.")
        return redirect("files")
    context = {"documents": Document.objects.all(), "form": form}
    status = 400 if form.errors else 200
    return render(request, "notices/files.html", context, status=status)


@require_safe
def download(request, pk):
    """One uploaded file, always as an attachment.

    Shown in the page it could run scripts in the name of this site.
    """
    document = get_object_or_404(Document, pk=pk)
    return FileResponse(
        document.file.open(), as_attachment=True, filename=document.name
    )


@require_safe
def healthz(request):
    """Says ok when the database answers."""
    Notice.objects.exists()
    return HttpResponse("ok\n", content_type="text/plain")
