"""One function a verb: announce, revise, approve, cancel, resolve, retry, mark, remind. Each is one transaction and its consequences."""
