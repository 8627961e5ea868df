"""The interface of pool policies.

Runs in: the controller.  Plugins import it from `passtwist.api.interfaces`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from passtwist.api.interfaces import IRequest


class IPoolPolicy(Interface):
    """Has a say in which worker a request gets; what a policy plugin provides.

    Asked on every request, in the reactor's thread, so it must be quick.  When
    it raises, or answers what makes no sense, that is logged, and the request
    goes where it would without a policy.
    """

    name: str = Attribute("For lists and the log.")
    description: str = Attribute("One line for `--list-plugins`.")

    def prefer(app: str, request: IRequest) -> int:
        """The number of the worker that should have *request*; 0 for any.

        It gets it if it is one of *app*'s, takes requests and has room; else
        the request goes where it would without a policy.  Asked again when
        another worker has to take it.
        """

    def headers(app: str, request: IRequest, worker: int) -> bytes:
        r"""What is added to the headers of a response, ``b"A: b\r\n"``.

        Asked for each response of a worker, and for no error page.

        :param worker: the number of the worker that answers.  No other has it
            as long as the server runs.
        """
