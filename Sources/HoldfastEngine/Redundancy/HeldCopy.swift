package import HoldfastModel

/// The newest snapshot of a source at one target, as far as this host knows.
package struct HeldCopy: Sendable, Hashable {
  /// The evidence that the target has all bytes that a restore of the snapshot needs.
  package enum Evidence: Sendable, Hashable {
    /// All of it was read there within this time, and had the signed digests.
    case proved(within: TimeSpan)
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

  /// The result of the last try of this host to remove something at the target.
  package enum Removal: Sendable, Hashable {
    case refused, allowed, untried
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

  package var isProved: Bool { if case .proved = evidence { true } else { false } }

  /// True if a listing shows it and no damage is known, read or not.
  package var isThere: Bool {
    switch evidence {
    case .proved, .listed: true
    case .missing, .damaged, .unknown: false
    }
  }
}
