package import HoldfastEngine
internal import HoldfastModel

/// The text of `holdfast status` for people about the redundancy of a source in several targets: each copy, the
/// degrees, the rule 3-2-1-1-0 line by line, and the chance of a loss with its assumptions.
package enum RedundancyText {
  private static let cutsMax = 3

  package static func lines(_ status: RedundancyStatus) -> [String] {
    var copies = Table()
    for copy in status.copies { copies.add([copy.target, evidence(copy.evidence), domains(copy)]) }
    var rule = Table()
    for line in status.rule { rule.add([word(line.isMet), name(line.rule), line.text]) }
    return ["\(status.source): redundancy"]
      + (copies.lines + degrees(status) + rule.lines + loss(status)).map { "  \($0)" }
  }

  /// The evidence of a copy in words: `proved within 30 d`.
  package static func evidence(_ evidence: HeldCopy.Evidence) -> String {
    switch evidence {
    case .proved(let window, 0): "proved within \(Amount.age(window))"
    case .proved(let window, let unread):
      "proved within \(Amount.age(window)), but for \(Amount.count(UInt64(unread), "newer snapshot"))"
    case .listed(let share): "listed, \(Amount.share(share)) proved"
    case .missing: "does not have it"
    case .damaged: "DAMAGED"
    case .unknown(let reason): "unknown: \(reason)"
    }
  }

  private static func domains(_ copy: HeldCopy) -> String {
    let named = FailureDomain.allCases.compactMap { domain in
      copy.domains[domain].map { "\(domain.rawValue) \($0)" }
    }
    return (named + [copy.medium]).joined(separator: ", ")
  }

  private static func degrees(_ status: RedundancyStatus) -> [String] {
    let domains = FailureDomain.allCases.map { "\(status.proved(by: $0)) by \($0.rawValue)" }.joined(separator: ", ")
    let (noun, rest) =
      status.scheme.map { ("shards", "leave fewer than the \($0.data) that are needed") } ?? (
        "copies", "take all of them"
      )
    let system =
      status.systemDegree.map { degree in
        guard degree > 0 else {
          return status.scheme == nil ? "no copy is proved" : "fewer shards are proved than are needed"
        }
        let verb = degree == 1 ? rest.replacing(/^(leave|take)/) { "\($0.1)s" } : rest
        return "\(Amount.count(UInt64(degree), "failure")) at one time \(verb)"
      } ?? "no few failures at one time \(rest)"
    return [
      "\(status.proved) of \(status.copies.count) \(noun) proved\(times(status)), \(status.listed) listed; \(domains)",
      system,
    ] + status.shared.map { "\($0.targets.joined(separator: ", ")) share the \($0.domain.rawValue) \($0.name)" }
  }

  /// Returns the degree in words, where it is not the number of copies.
  private static func times(_ status: RedundancyStatus) -> String {
    guard let scheme = status.scheme else { return "" }
    let hundredths = Int(saturating: (status.degree * 100).rounded())
    return " (\(scheme): \(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) times)"
  }

  private static func name(_ rule: RedundancyStatus.RuleLine.Rule) -> String {
    switch rule {
    case .copies: "3 copies"
    case .media: "2 media"
    case .offSite: "1 off site"
    case .immutable: "1 immutable"
    case .errors: "0 errors"
    }
  }

  private static func word(_ isMet: Bool?) -> String {
    switch isMet {
    case true?: "yes"
    case false?: "NO"
    case nil: "unknown"
    }
  }

  private static func loss(_ status: RedundancyStatus) -> [String] {
    let estimate = status.estimate
    guard let chance = estimate.perYear else { return ["chance of loss: unknown"] }
    let cuts = estimate.cuts.prefix(cutsMax).map { cut in
      "  \(odds(cut.perYear)): \(cut.failures.map(failure).joined(separator: " and "))"
    }
    let event = status.scheme == nil ? "all proved copies are lost" : "more shards are lost than may be"
    return ["chance that \(event) within a year: \(odds(chance)), most likely by"] + cuts
      + ["  assumed: \(assumptions(estimate.rates))"]
  }

  private static func failure(_ failure: LossEstimate.Failure) -> String {
    switch failure {
    case .storage(let target): "the storage of \(target)"
    case .shared(let shared): "the \(shared.domain.rawValue) \(shared.name) (\(shared.targets.joined(separator: ", ")))"
    }
  }

  private static func assumptions(_ rates: FailureRates) -> String {
    let domains = FailureDomain.allCases.compactMap { domain in
      rates.domainsPerYear[domain].map { "a shared \(domain.rawValue) \(percent($0))" }
    }
    return "the storage of a target fails \(percent(rates.storagePerYear)) a year, "
      + domains.joined(separator: ", ")
      + "; independently; a lost copy is noticed and there again within \(Amount.age(rates.repair))"
  }

  /// A chance as `1 in 2,300`: nines are hard to compare.
  static func odds(_ chance: Double) -> String {
    guard chance > 0 else { return "none" }
    guard chance < 0.5 else { return "likely" }
    let number = 1 / chance
    guard number < 1e12 else { return "less than 1 in 1,000,000,000,000" }
    let digits = String(UInt64(saturating: twoDigits(number)))
    let grouped = String(
      digits.reversed().enumerated().flatMap { $0 > 0 && $0 % 3 == 0 ? [",", $1] : [$1] }.reversed())
    return "1 in \(grouped)"
  }

  /// Rounds to two digits that count: more would pretend to be known.
  private static func twoDigits(_ number: Double) -> Double {
    var scale = 1.0
    while number / scale >= 100 { scale *= 10 }
    return (number / scale).rounded() * scale
  }

  private static func percent(_ rate: Double) -> String {
    let tenths = (rate * 1000).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(saturating: tenths)) %" : "\(tenths) %"
  }
}
