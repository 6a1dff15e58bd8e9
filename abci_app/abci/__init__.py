"""The ABCI 2.0 application: the socket, one method per call, proposals, queries."""
