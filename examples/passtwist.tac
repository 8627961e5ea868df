"""The same server as a tac file:  twistd -n -y examples/passtwist.tac

For those who run other Twisted services in the same process.
"""

from pathlib import Path

from twisted.application.service import Application

from passtwist.assembly import make_service

application = Application("passtwist")
# twistd says where the tac file is; the configuration lies beside it.
configuration = Path(__file__).resolve().with_name("passtwist.toml")
make_service(str(configuration)).setServiceParent(application)
