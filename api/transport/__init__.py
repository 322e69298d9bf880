"""What stands on the network: GraphQL over HTTP, the one REST route, health, the IDE. Assembled by `app`."""
