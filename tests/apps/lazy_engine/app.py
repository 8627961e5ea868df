"""Flask with SQLAlchemy: the engine connects when a request needs it."""

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

app = Flask(__name__)
engine = create_engine("sqlite:///visits.db")
Session = sessionmaker(engine)


@app.route("/")
def index():
    with Session() as session:
        return str(session.execute(text("select 1")).scalar())
