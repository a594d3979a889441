//! HTTP, WebSocket, connectors, metrics and the console: the only crate that knows JSON.
