/// The capabilities of a store. The store declares them, and `Store.probe` tests them, because services that are called
/// "compatible" may not keep a promise.
package struct StoreCapabilities: Sendable, Equatable {
  /// True if exactly one of two runs succeeds that commit the same key at the same moment, on whatever machines.
  package var createsIfAbsent = true
  /// True if a part of an object can be read without the rest.
  package var readsRanges = true
  /// True if this user can remove objects. In a store to which names can only be added it is false; that is no
  /// weakness.
  package var removes = true
  /// True if listings contain the lengths of objects.
  package var listsLengths = true
  /// True if a listing shows at once what was committed or removed before.
  package var listsAtOnce = true
  /// True if `lock` and `hold` keep other runs out, and end when their holder is killed.
  package var locks = true
  /// True if an object survives a loss of power from the time at which its commit returns.
  package var isDurable = true
  /// The lock on new objects; `nil` if they are not locked.
  package var objectLock: ObjectLock?
  /// True if requests have no latency and no temporary failures. Then reading ahead, parallel requests and retries gain
  /// nothing.
  package var isNear = true

  package init() {}

  /// Returns the promises that are weaker than a repository needs, as text for people.
  /// - Parameter location: the location of the store, as text for people.
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
  /// The prefix below which a store is tested. What may not be removed stays there.
  package static let prefix = "probe/"
  package var capabilities: StoreCapabilities
  /// The promises that are weaker than a repository needs, as text for people.
  package var weaknesses: [String]

  package init(capabilities: StoreCapabilities, weaknesses: [String] = []) {
    self.capabilities = capabilities
    self.weaknesses = weaknesses
  }
}
