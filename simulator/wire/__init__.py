"""The only code with sockets: HTTP, MQTT, the shaped link a device sits behind, and the guard at every connect."""
