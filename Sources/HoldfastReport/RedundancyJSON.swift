package import HoldfastEngine
internal import HoldfastModel
internal import HoldfastSystem

/// The redundancy of a source in several targets, in `holdfast status --json`. What is unknown is `null`.
package struct RedundancyJSON: Encodable {
  let source: String
  let copies: [Copy]
  /// R: the number of targets that were proved within `provedWithinSeconds`, but for `unreadSnapshots`; where archives
  /// are in shards, divided by the number of shards that are enough.
  let redundancyDegree: Double
  /// The scheme of shards.
  let scheme: Known<String>
  /// The same, where targets that share a failure domain count once: `site`, `provider`, `account`, `credential`.
  let redundancyDegreeByDomain: [String: Int]
  let listedCopies: Int
  let provedWithinSeconds: TimeSpan
  /// S: the fewest failures at one time that take all proved copies.
  let systemDegree: Known<Int>
  let rules: [RuleLine]
  let lossPerYear: Known<Double>
  let losses: [Loss]
  let assumptions: Assumptions

  package init(_ status: RedundancyStatus) {
    source = status.source.text
    copies = status.copies.map(Copy.init)
    (redundancyDegree, scheme) = (status.degree, Known(status.scheme?.description))
    redundancyDegreeByDomain = Dictionary(
      uniqueKeysWithValues: FailureDomain.allCases.map { ($0.rawValue, status.proved(by: $0)) })
    (listedCopies, provedWithinSeconds) = (status.listed, status.window)
    systemDegree = Known(status.systemDegree)
    rules = status.rule.map { RuleLine(rule: $0.rule.rawValue, met: Known($0.isMet), text: $0.text) }
    lossPerYear = Known(status.estimate.perYear)
    losses = status.estimate.cuts.map(Loss.init)
    assumptions = Assumptions(status.estimate.rates)
  }

  struct Copy: Encodable {
    let target: String
    /// `proved`, `listed`, `missing`, `damaged` or `unknown`.
    let evidence: String
    let provedShare: Known<Double>
    /// The number of snapshots of the newest chain that were not wholly read there since they were stored; `null`
    /// unless `proved`.
    let unreadSnapshots: Known<Int>
    let reason: Known<String>
    let domains: [String: String]
    let medium: String
    /// `refused`, `allowed` or `untried`.
    let removal: String
    /// The time of the trial; `null` if there was none within the window.
    let removalTried: Known<String>
    /// The time until which the newest snapshot is locked there; `null` without a lock.
    let lockedUntil: Known<String>

    init(_ copy: HeldCopy) {
      target = copy.target
      let known: (evidence: String, provedShare: Double?, reason: String?) =
        switch copy.evidence {
        case .proved: ("proved", 1, nil)
        case .listed(let share): ("listed", share, nil)
        case .missing: ("missing", nil, nil)
        case .damaged: ("damaged", nil, nil)
        case .unknown(let reason): ("unknown", nil, reason)
        }
      (evidence, provedShare, reason) = (known.evidence, Known(known.provedShare), Known(known.reason))
      unreadSnapshots = Known(copy.isProved ? copy.unread : nil)
      domains = Dictionary(uniqueKeysWithValues: copy.domains.map { ($0.key.rawValue, $0.value) })
      medium = copy.medium
      let trial: (removal: String, tried: Timestamp?, until: Timestamp?) =
        switch copy.removal {
        case .refused(let tried, let until): ("refused", tried, until)
        case .allowed(let tried): ("allowed", tried, nil)
        case .untried: ("untried", nil, nil)
        }
      removal = trial.removal
      (removalTried, lockedUntil) = (
        Known(trial.tried.map { TimeText.utc($0) }), Known(trial.until.map { TimeText.utc($0) })
      )
    }
  }

  struct RuleLine: Encodable {
    let rule: String
    let met: Known<Bool>
    let text: String
  }

  struct Loss: Encodable {
    /// `storage of NAME`, or `site NAME`, `provider NAME` and so on.
    let failures: [String]
    let perYear: Double

    init(_ cut: LossEstimate.Cut) {
      perYear = cut.perYear
      failures = cut.failures.map { failure in
        switch failure {
        case .storage(let target): "storage of \(target)"
        case .shared(let shared): "\(shared.domain.rawValue) \(shared.name)"
        }
      }
    }
  }

  struct Assumptions: Encodable {
    let storageFailuresPerYear: Double
    let domainFailuresPerYear: [String: Double]
    let repairSeconds: TimeSpan

    init(_ rates: FailureRates) {
      storageFailuresPerYear = rates.storagePerYear
      domainFailuresPerYear = Dictionary(
        uniqueKeysWithValues: rates.domainsPerYear.map { ($0.key.rawValue, $0.value) })
      repairSeconds = rates.repair
    }
  }
}
