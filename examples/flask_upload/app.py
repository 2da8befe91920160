"""An upload form before a packshot service: the smallest complete application of packshot.client.

    pip install flask 'packshot[client]'
    PACKSHOT_URL=http://127.0.0.1:8000 PACKSHOT_KEY=YOUR_KEY flask --app examples/flask_upload/app run

The key stays on the server; visitors of the page never see it.
"""

from __future__ import annotations

import base64
import os

from flask import Flask, render_template_string, request

from packshot.client import Busy, Client, ClientError, Problem

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Packshots</title>
<style>
  body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
  img { max-width: 100%; border: 1px solid #ccc }
</style>
<h1>Packshots</h1>
<form method="post" enctype="multipart/form-data">
  <p><label>Photo <input type="file" name="photo" accept="image/*" required></label>
  <p><label>For <select name="preset">
    {% for preset in presets %}<option value="{{ preset.name }}">{{ preset.title }}</option>{% endfor %}
  </select></label>
  <p><button>Make packshot</button>
</form>
{% if trouble %}<p role="alert">{{ trouble }}</p>{% endif %}
{% if shot %}
  <h2>{{ shot.report.title }}: {{ "passed" if shot.report.passed else "not passed" }}</h2>
  <p><a download="packshot{{ shot.suffix }}" href="{{ address }}"><img src="{{ address }}" alt="The packshot"></a>
  {% if shot.review %}<p>Check the outline: it is uncertain.{% endif %}
  <ul>{% for check in shot.report.checks %}
    <li>{{ "&#10003;"|safe if check.passed else "&#10007;"|safe }}
      {{ "" if check.required else "Advice:" }} {{ check.message }}
  {% endfor %}</ul>
{% endif %}
"""


def create_app(client: Client | None = None) -> Flask:
    """The application, with one client for all its threads; by default a client from the environment."""
    client = client or Client(os.environ.get("PACKSHOT_URL", "http://127.0.0.1:8000"), os.environ["PACKSHOT_KEY"])
    app = Flask(__name__)
    about = client.about()
    app.config["MAX_CONTENT_LENGTH"] = about.inputs.max_bytes + 100_000

    @app.route("/", methods=["GET", "POST"])
    def form() -> str | tuple[str, int]:
        if request.method == "GET":
            return render_template_string(PAGE, presets=about.presets)
        photo, preset = request.files["photo"].read(), request.form["preset"]
        try:
            shot = client.packshot(photo, preset=preset)
        except ClientError as error:
            return render_template_string(PAGE, presets=about.presets, trouble=error), _status(error)
        address = f"data:{shot.media_type};base64,{base64.b64encode(shot.data).decode()}"
        return render_template_string(PAGE, presets=about.presets, shot=shot, address=address)

    return app


def _status(error: ClientError) -> int:
    """HTTP status by cause: the visitor's photo, too many visitors, or a problem outside the visitor's control."""
    if isinstance(error, Busy):
        return 503
    return error.status if isinstance(error, Problem) and error.status in {400, 413, 415, 422} else 502
