package import HoldfastModel

/// The tags of a snapshot, as `tag --json` shows them.
package struct TagsJSON: Encodable {
  let id: String
  let tags: [String]

  package init(_ snapshot: Identifier, tags: [String]) { (id, self.tags) = (snapshot.description, tags) }
}

/// Says if a snapshot is pinned, as `pin --json` and `unpin --json` show it.
package struct PinJSON: Encodable {
  let id: String
  let pinned: Bool

  package init(_ snapshot: Identifier, pinned: Bool) { (id, self.pinned) = (snapshot.description, pinned) }
}

/// Says that the anomalies of a snapshot are accepted, as `accept --json` shows it.
package struct AcceptedJSON: Encodable {
  let id: String
  let accepted = true

  package init(_ snapshot: Identifier) { id = snapshot.description }

  private enum CodingKeys: String, CodingKey { case id, accepted }
}

/// The snapshots that are no longer removed, as `undelete --json` shows them.
package struct UndeletedJSON: Encodable {
  let undeleted: [String]

  package init(_ snapshots: [Identifier]) { undeleted = snapshots.map(\.description) }
}
