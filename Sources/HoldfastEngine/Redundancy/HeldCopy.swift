package import HoldfastModel

/// What is known of the newest snapshot of a source at one target.
package struct HeldCopy: Sendable, Hashable {
  /// How sure it is that the target has all bytes that a restore of the snapshot needs.
  package enum Evidence: Sendable, Hashable {
    /// All of it was read there and had the signed digests, this long ago at most.
    case proved(within: TimeSpan)
    /// A listing shows it, and not all of it was read within the window.
    /// - Parameter provedShare: the share that was read, 0 to 1.
    case listed(provedShare: Double)
    /// The target does not have it, or not whole.
    case missing
    /// Reading there has found damage that still stands.
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
  /// The word for each failure domain; a target without a word for one shares it with nobody.
  package var domains: [FailureDomain: String]
  /// The kind of storage: `disk`, `object storage`, `tape`.
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

  /// True if a listing shows it, whether or not it was read.
  package var isThere: Bool {
    switch evidence {
    case .proved, .listed: true
    case .missing, .damaged, .unknown: false
    }
  }
}
