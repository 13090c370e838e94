/// What a store can do. The store declares it, and `Store.probe` tests it, because services that are called
/// "compatible" may not keep a promise.
package struct StoreCapabilities: Sendable, Equatable {
  /// If two runs commit the same key at the same moment, on whatever machines, exactly one succeeds.
  package var createsIfAbsent = true
  /// A part of an object can be read without the rest.
  package var readsRanges = true
  /// This user can remove objects. A store to which names can only be added cannot; that is not a weakness.
  package var removes = true
  /// Listings contain the lengths of objects.
  package var listsLengths = true
  /// A listing shows at once what was committed or removed before.
  package var listsAtOnce = true
  /// `lock` and `hold` keep other runs out, and end when their holder is killed.
  package var locks = true
  /// When a commit returns, the object survives a loss of power.
  package var isDurable = true
  /// For how long new objects are locked; `nil` when none are.
  package var objectLock: ObjectLock?
  /// Requests have no latency and no temporary failures. So reading ahead, parallel requests and retries gain nothing.
  package var isNear = true

  package init() {}

  /// The promises that are weaker than a repository needs, as text for people.
  /// - Parameter location: of the store, as text for people.
  package func weaknesses(of location: String) -> [String] {
    var weaknesses: [String] = []
    if !createsIfAbsent {
      weaknesses.append(
        "\(location) replaces objects that are there: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
      )
    }
    if !isDurable {
      weaknesses.append(
        "\(location) does not say when what is written survives a loss of power: what was committed in its last minutes may be lost with it"
      )
    }
    return weaknesses
  }
}

/// The result of testing a store.
package struct StoreProbe: Sendable, Equatable {
  /// A store is tried below this prefix. What may not be removed stays there.
  package static let prefix = "probe/"
  package var capabilities: StoreCapabilities
  /// The promises that are weaker than a repository needs, as text for people.
  package var weaknesses: [String]

  package init(capabilities: StoreCapabilities, weaknesses: [String] = []) {
    self.capabilities = capabilities
    self.weaknesses = weaknesses
  }
}
