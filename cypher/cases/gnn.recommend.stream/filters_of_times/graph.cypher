// Each of items 2 to 7 misses one condition.
UNWIND range(1, 7) AS n
CREATE (i:Item {id: n, released: date('2020-01-01'), opened: datetime('2020-12-31T22:59:59Z'), runs: duration('PT120M'),
  flags: [false, true]});
MATCH (i:Item {id: 2}) SET i.released = date('2019-12-31');
MATCH (i:Item {id: 3}) SET i.released = '2020-01-01';
MATCH (i:Item {id: 4}) SET i.opened = datetime('2020-12-31T23:00:01Z');
MATCH (i:Item {id: 5}) SET i.opened = localdatetime('2020-12-31T22:59:59');
MATCH (i:Item {id: 6}) SET i.runs = duration('PT2H1S');
MATCH (i:Item {id: 7}) SET i.flags = [false];
