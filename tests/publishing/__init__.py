"""Publishing, against moto's server as AWS: real clients over HTTP, every request noted as sent."""
