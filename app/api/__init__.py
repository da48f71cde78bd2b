"""The REST API under `/v1`: thin routes that parse, call one service and show the result."""
