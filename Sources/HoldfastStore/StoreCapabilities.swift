/// What a store can do. A store declares it, and `Store.probe` tries it: that a service is "compatible" is a claim.
package struct StoreCapabilities: Sendable, Equatable {
  /// Of two that commit one key at the same moment exactly one succeeds, on whatever machines they run.
  package var createsIfAbsent = true
  /// A part of an object can be read without the rest.
  package var readsRanges = true
  /// What is there can be removed by this user. Where names can only be added, it cannot, and that is no weakness.
  package var removes = true
  /// A listing tells how long objects are.
  package var listsLengths = true
  /// A listing shows what has just been committed, and no longer what has just been removed.
  package var listsAtOnce = true
  /// `lock` and `hold` keep others out, and are free again when their holder is killed.
  package var locks = true
  /// When a commit returns, the object survives a loss of power.
  package var isDurable = true
  /// Requests take no time on the way, and do not fail for a while: nothing is gained by asking ahead, side by side or
  /// again.
  package var isNear = true

  package init() {}
}

/// What was found when a store was tried.
package struct StoreProbe: Sendable, Equatable {
  package var capabilities: StoreCapabilities
  /// Which promises are weaker there than a repository needs, for people.
  package var weaknesses: [String]

  package init(capabilities: StoreCapabilities, weaknesses: [String] = []) {
    self.capabilities = capabilities
    self.weaknesses = weaknesses
  }
}
