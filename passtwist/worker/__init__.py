"""The worker: takes sessions from its socket and calls the app.

Runs in: workers; the spawn server uses what every process of ours must do at
its start (`process`, `lifeline`, `signals`, `journal`).  Standard library only.
"""
