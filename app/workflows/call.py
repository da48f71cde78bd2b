"""One network call to a platform, and what it means. Whatever goes wrong in an adapter is an outcome here, and never an error."""

from __future__ import annotations

import structlog

from adapters.contract import AdapterError, NeedsOperator, NeedsPerson, NotSent, OutcomeUnknown, Part, Receipt
from app.domain.delivery import Event
from app.services.context import Destination
from app.workflows.attempt import Outcome

log = structlog.get_logger(__name__)


async def publish(destination: Destination, part: Part, name: str, reply_to: Receipt | None) -> Outcome:
    """Posts one part under its idempotency key. A permalink of another account makes the outcome unknown."""
    try:
        receipt = await destination.adapter.publish(part, name, reply_to)
    except NotSent as error:
        return Outcome(Event.NOT_SENT, str(error), wait=error.retry_after, closes=error.retry_after or 0.0)
    except NeedsPerson as error:
        return Outcome(Event.HANDED_OVER, str(error))
    except OutcomeUnknown as error:
        return Outcome(Event.LOST, str(error))
    except AdapterError as error:
        return Outcome(Event.REFUSED, str(error), pauses=isinstance(error, NeedsOperator))
    except Exception as error:  # an adapter's bug says nothing about what the platform did
        log.exception("adapter-failed", destination=destination.id)
        return Outcome(Event.LOST, f"The adapter failed: {type(error).__name__}.")
    if receipt.permalink and not destination.adapter.owns(receipt.permalink):
        return Outcome(Event.LOST, f"{destination.id} gave back a permalink that is not on the approved account.")
    return Outcome(Event.POSTED, receipt=receipt, closes=receipt.rest)
