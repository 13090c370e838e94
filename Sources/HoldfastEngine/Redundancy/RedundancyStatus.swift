package import HoldfastModel
internal import HoldfastSystem

/// The redundancy of the newest snapshot of a source, computed from what was proved at each target.
package struct RedundancyStatus: Sendable {
  /// A line of the rule 3-2-1-1-0: three copies on two media, one off site, one that nobody can remove, no errors.
  package struct RuleLine: Sendable, Hashable {
    package enum Rule: String, CaseIterable, Sendable {
      case copies, media, offSite, immutable, errors
    }
    package let rule: Rule
    /// True if the line is met; `nil` when that is not known.
    package let isMet: Bool?
    /// The reason for the answer, for example the media, or the targets that are not proved.
    package let text: String
  }

  package let source: SourceName
  /// The copies in the order of the configuration, home first.
  package let copies: [HeldCopy]
  /// The scheme in which the copies are shards; `nil` if each is whole.
  package let scheme: ErasureScheme?
  /// The time within which a copy must have been read to count as proved.
  package let window: TimeSpan
  /// The site of the source itself; `nil` when it is not known.
  package let sourceSite: String?
  package let estimate: LossEstimate

  /// - Parameters:
  ///   - scheme: the scheme in which the copies are shards; `nil` if each is whole.
  ///   - repair: the time that a lost target takes to be noticed and copied again.
  package init(
    _ source: SourceName, _ copies: [HeldCopy], in scheme: ErasureScheme? = nil, window: TimeSpan, repair: TimeSpan,
    sourceSite: String?
  ) {
    (self.source, self.copies, self.window, self.sourceSite) = (source, copies, window, sourceSite)
    self.scheme = scheme
    let proved = copies.filter(\.isProved)
    estimate = LossEstimate(
      proved, needed: scheme?.data ?? 1, shared: Self.shared(by: proved), FailureRates(repair: repair))
  }

  /// The number of targets whose copies are enough to restore.
  private var needed: Int { scheme?.data ?? 1 }

  // MARK: Degrees

  /// The stored bytes that were proved, as a multiple of those that a restore needs (R): the number of copies, or of
  /// shards divided by those that are enough.
  package var degree: Double { Double(proved) / Double(needed) }

  /// The number of targets at which the stored bytes were proved. The newest snapshots may not be read yet:
  /// `HeldCopy.unread` counts them.
  package var proved: Int { copies.count(where: \.isProved) }

  /// The number of targets that list it, proved or not.
  package var listed: Int { copies.count(where: \.isThere) }

  /// The fewest failures at one time, each of a target or of a shared domain, that leave fewer proved copies than are
  /// needed (S); 0 when so few are proved already, `nil` when it takes more failures than were looked for.
  package var systemDegree: Int? { proved < needed ? 0 : estimate.failuresToLoss }

  /// Returns the number of proved copies that do not share a domain (R by domain). Copies with the same name for it
  /// count once; each copy without a name counts.
  package func proved(by domain: FailureDomain) -> Int { Self.distinct(copies.filter(\.isProved), by: domain) }

  /// The failures that take several of the copies that a listing shows.
  package var shared: [SharedFailure] { Self.shared(by: copies.filter(\.isThere)) }

  private static func distinct(_ copies: [HeldCopy], by domain: FailureDomain) -> Int {
    Set(copies.compactMap { $0.domains[domain] }).count + copies.count { $0.domains[domain] == nil }
  }

  private static func shared(by copies: [HeldCopy]) -> [SharedFailure] {
    FailureDomain.allCases.flatMap { domain in
      Dictionary(grouping: copies.filter { $0.domains[domain] != nil }) { $0.domains[domain] ?? "" }
        .filter { $0.value.count > 1 }
        .map { SharedFailure(domain: domain, name: $0.key, targets: $0.value.map(\.target)) }
        .sorted { $0.name < $1.name }
    }
  }

  // MARK: 3-2-1-1-0

  /// The lines of the rule. Only proved copies count. The source counts as one of the three copies, on a disk.
  package var rule: [RuleLine] { [copiesLine, mediaLine, offSiteLine, immutableLine, errorsLine] }

  /// The proved copies that count for the rule: of those that share a site, an account or a credential, the first.
  private var independent: [HeldCopy] {
    var found: [HeldCopy] = []
    for copy in copies where copy.isProved {
      let isSeparate = found.allSatisfy { other in
        [FailureDomain.site, .account, .credential].allSatisfy { domain in
          copy.domains[domain] == nil || copy.domains[domain] != other.domains[domain]
        }
      }
      if isSeparate { found.append(copy) }
    }
    return found
  }

  private var copiesLine: RuleLine {
    let counted = independent.map(\.target)
    let merged = proved - counted.count
    var text = (["the source"] + counted).joined(separator: ", ")
    if merged > 0 {
      let names = shared.filter { [.site, .account, .credential].contains($0.domain) }.map {
        "\($0.targets.joined(separator: " and ")) share the \($0.domain.rawValue) \($0.name)"
      }
      text += "; " + names.joined(separator: "; ")
    }
    return RuleLine(rule: .copies, isMet: counted.count > needed, text: text)
  }

  private var mediaLine: RuleLine {
    let media = Set(copies.filter(\.isProved).map(\.medium) + ["disk"]).sorted()
    return RuleLine(rule: .media, isMet: media.count >= 2, text: media.joined(separator: ", "))
  }

  private var offSiteLine: RuleLine {
    guard let sourceSite else {
      return RuleLine(rule: .offSite, isMet: nil, text: "nothing says at which site the source is")
    }
    let away = copies.filter { $0.isProved && $0.domains[.site].map { $0 != sourceSite } ?? false }
    let unnamed = copies.contains { $0.isProved && $0.domains[.site] == nil }
    let text =
      away.isEmpty
      ? "no proved copy is known to be elsewhere than \(sourceSite)"
      : away.map { "\($0.target) (\($0.domains[.site] ?? ""))" }.joined(separator: ", ")
    return RuleLine(rule: .offSite, isMet: away.isEmpty && unnamed ? nil : !away.isEmpty, text: text)
  }

  private var immutableLine: RuleLine {
    let proved = copies.filter(\.isProved)
    let kept = proved.compactMap(Self.refusal)
    guard kept.isEmpty else {
      return RuleLine(rule: .immutable, isMet: true, text: kept.joined(separator: ", "))
    }
    let untried = proved.filter { $0.removal == .untried }.map(\.target)
    return untried.isEmpty
      ? RuleLine(rule: .immutable, isMet: false, text: "this host can remove what is stored at every target")
      : RuleLine(
        rule: .immutable, isMet: nil,
        text: "no removal was tried within \(Amount.age(window)) at \(untried.joined(separator: ", "))")
  }

  private static func refusal(of copy: HeldCopy) -> String? {
    guard case .refused(let tried, let until) = copy.removal else { return nil }
    let lock = until.map { ", and the newest snapshot is locked until \(TimeText.utc($0).prefix(10))" } ?? ""
    return "\(copy.target) refused a removal on \(TimeText.utc(tried).prefix(10))" + lock
  }

  private var errorsLine: RuleLine {
    let damaged = copies.filter { $0.evidence == .damaged }.map(\.target)
    guard damaged.isEmpty else {
      return RuleLine(
        rule: .errors, isMet: false, text: "damage at \(damaged.joined(separator: ", "))")
    }
    let unproved = copies.filter { !$0.isProved }.map(\.target)
    let within = "within \(Amount.age(window))"
    return unproved.isEmpty
      ? RuleLine(
        rule: .errors, isMet: true,
        text: "all copies were proved \(within)"
          + (copies.contains { $0.unread > 0 } ? ", but for their newest snapshots" : ""))
      : RuleLine(rule: .errors, isMet: nil, text: "not proved \(within): \(unproved.joined(separator: ", "))")
  }
}
