// History of a user
MATCH (user:User {id: 42})-[event]->(item:Item)
RETURN type(event) AS did, item.title AS title, datetime({epochMillis: event.at}) AS at
ORDER BY event.at DESC
LIMIT 25
