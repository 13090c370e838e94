package import HoldfastModel

/// The newest snapshot of a source at one target, as far as this host knows.
package struct HeldCopy: Sendable, Hashable {
  /// The evidence that the target has all bytes that a restore of the snapshot needs.
  package enum Evidence: Sendable, Hashable {
    /// The stored bytes of the source were read there within this time, and had the signed digests.
    /// - Parameter unread: the number of snapshots of the newest chain that were not wholly read since they were
    ///   stored.
    case proved(within: TimeSpan, unread: Int = 0)
    /// A listing shows it, but not all of it was read within the window.
    /// - Parameter provedShare: the share that was read, 0 to 1.
    case listed(provedShare: Double)
    /// The target does not have all of it.
    case missing
    /// Damage was found there and is not repaired.
    case damaged
    /// The target did not answer.
    case unknown(reason: String)
  }

  /// The result of the last trial of this host to remove something at the target, within the window.
  package enum Removal: Sendable, Hashable {
    /// - Parameter until: the end of the lock of the newest snapshot; `nil` where nothing can be removed at any time.
    case refused(tried: Timestamp, until: Timestamp? = nil)
    case allowed(tried: Timestamp)
    case untried
  }

  /// The name of the target in the configuration.
  package let target: String
  package var evidence: Evidence
  /// The name for each failure domain. A target without a name for a domain shares it with no other target.
  package var domains: [FailureDomain: String]
  /// The kind of storage, for example `disk`, `object storage` or `tape`.
  package var medium: String
  package var removal: Removal

  package init(
    _ target: String, _ evidence: Evidence, domains: [FailureDomain: String] = [:], medium: String,
    removal: Removal = .untried
  ) {
    (self.target, self.evidence, self.domains) = (target, evidence, domains)
    (self.medium, self.removal) = (medium, removal)
  }

  /// The number of snapshots of the newest chain that were not wholly read there; 0 unless the copy is proved.
  package var unread: Int { if case .proved(_, let unread) = evidence { unread } else { 0 } }

  /// True if this host cannot remove the copy now.
  package var isImmutable: Bool { if case .refused = removal { true } else { false } }

  package var isProved: Bool { if case .proved = evidence { true } else { false } }

  /// True if a listing shows it and no damage is known, read or not.
  package var isThere: Bool {
    switch evidence {
    case .proved, .listed: true
    case .missing, .damaged, .unknown: false
    }
  }
}

extension HeldCopy.Removal {
  /// - Parameters:
  ///   - trial: the last trial; `nil` when none is remembered.
  ///   - oldest: the time at which the window begins.
  ///   - lockEnd: the end of the lock of the newest snapshot there; `nil` if it is not locked.
  package init(_ trial: RemovalTrial?, since oldest: Timestamp, lockedUntil lockEnd: Timestamp?, now: Timestamp) {
    guard let trial, oldest <= trial.time else {
      self = .untried
      return
    }
    switch trial.outcome {
    case .appendOnly: self = .refused(tried: trial.time)
    case .objectLock where lockEnd.map { now < $0 } ?? false: self = .refused(tried: trial.time, until: lockEnd)
    // A snapshot that was stored before the lock, or whose term is over, can be removed.
    case .objectLock, .removed: self = .allowed(tried: trial.time)
    }
  }
}

extension HeldCopy.Evidence {
  /// The share that must be proved for a copy to count. It is below 1 because the newest snapshots were stored after
  /// the last proof.
  private static let shareMin = 0.95

  /// Makes the evidence of a copy that a listing shows whole.
  ///
  /// It is proved if almost all stored bytes were read within the window, the last time after the full of the newest
  /// chain was stored. The snapshots that were stored later, or not wholly read since, are counted.
  /// - Parameters:
  ///   - share: the share of all stored bytes that was proved within the window.
  ///   - chain: for each snapshot of the newest chain, the newest first, the share of its bytes that was proved since
  ///     it was stored.
  package init(provedShare share: Double, chain: [Double], within window: TimeSpan) {
    let isChainRead = chain.last.map { $0 > 0 } ?? false
    self =
      share >= Self.shareMin && isChainRead
      ? .proved(within: window, unread: chain.count { $0 < Self.shareMin })
      : .listed(provedShare: isChainRead ? share : 0)
  }

  /// Makes the evidence from the results of the scrubs of this machine.
  /// - Parameters:
  ///   - memory: the results there.
  ///   - chain: the newest chain, the newest snapshot first.
  ///   - oldest: the time at which the window begins.
  package init(
    _ memory: SourceMemory, chain: [SourceStatus.ChainLink], since oldest: Timestamp, within window: TimeSpan
  ) {
    guard !memory.isDamaged else {
      self = .damaged
      return
    }
    let proofs = memory.proofs.filter { oldest <= $0.time }
    let shares = chain.map { link in TargetProofs(proofs.filter { link.madeAt <= $0.time }).share }
    self.init(provedShare: TargetProofs(proofs).share, chain: shares, within: window)
  }
}
