internal import HoldfastArchive
package import HoldfastConfiguration
package import HoldfastEngine
internal import HoldfastModel
package import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A target of a repository, with the result of listing it.
package struct ListedTarget: Sendable {
  package let settings: TargetSettings
  package let isHome: Bool
  /// The standing of each source there, or the reason why the target could not be listed.
  package let standings: Result<[TargetStanding], any Error>

  package init(_ settings: TargetSettings, isHome: Bool, _ standings: Result<[TargetStanding], any Error>) {
    (self.settings, self.isHome, self.standings) = (settings, isHome, standings)
  }
}

extension RedundancyStatus {
  /// Makes the redundancy of a source.
  /// - Parameters:
  ///   - status: the status of the source at home; its verifies show what is proved there.
  ///   - targets: the targets, home first.
  ///   - repository: the repository at home. Its memory on this machine shows what scrubs have proved at other targets.
  package init(_ status: SourceStatus, at targets: [ListedTarget], of repository: Repository) {
    let window = status.provedWindow
    var oldest = repository.host.clock.now()
    oldest.seconds -= window.wholeSeconds
    let since = oldest
    // A spare has nothing that a restore needs more than a catalog.
    let spares = repository.shards.flatMap { _ in try? repository.targets.newest()?.spares } ?? []
    let copies = targets.filter { !spares.contains($0.settings.name) }.map { target in
      HeldCopy(
        target.settings.name, Self.evidence(target, status, since: since, repository),
        domains: target.settings.failureDomains, medium: target.settings.mediumName,
        removal: Self.removal(target, status, since: since, repository))
    }
    let home = targets.first { $0.isHome }?.settings
    self.init(
      status.name, copies, in: repository.shards?.scheme, window: window, repair: window,
      sourceSite: home.flatMap { $0.isDirectory ? $0.domains[.site] : nil })
  }

  private static func removal(
    _ target: ListedTarget, _ status: SourceStatus, since oldest: Timestamp, _ repository: Repository
  ) -> HeldCopy.Removal {
    let newest = (try? target.standings.get())?.first { $0.source == status.name }?.newest
    return HeldCopy.Removal(
      repository.machine.trial(at: target.settings.name, in: target.settings.location), since: oldest,
      lockedUntil: newest?.envelope.lockedUntil?.moment, now: repository.host.clock.now())
  }

  private static func evidence(
    _ target: ListedTarget, _ status: SourceStatus, since oldest: Timestamp, _ repository: Repository
  ) -> HeldCopy.Evidence {
    switch target.standings {
    case .failure(let failure): return .unknown(reason: describe(failure).message)
    case .success(let standings):
      guard let standing = standings.first(where: { $0.source == status.name }), standing.newest != nil else {
        return .missing
      }
      let scrubs = repository.machine.scrubs(
        of: status.name, at: target.settings.name, in: PlaceIdentity(target.settings.location, standing.mark))
      if scrubs.isDamaged || target.isHome && hasDamage(status, repository) { return .damaged }
      guard standing.hasNewest == true else { return .missing }
      let window = status.provedWindow
      return target.isHome
        ? HeldCopy.Evidence(
          provedShare: status.provedShare ?? 0, chain: status.chain.map(\.provedShare), within: window)
        : HeldCopy.Evidence(scrubs, chain: status.chain, since: oldest, within: window)
    }
  }

  /// True if a verify or a scrub has found damage at home that stands.
  private static func hasDamage(_ status: SourceStatus, _ home: Repository) -> Bool {
    if status.standingDamage != nil { return true }
    // Notes that cannot be read are damage themselves.
    return (try? home.notes.standingDamage(of: status.name).isEmpty) != true
  }
}

extension TargetSettings {
  /// True if it is a directory of this machine.
  fileprivate var isDirectory: Bool { location.hasPrefix("/") }

  /// The names of the failure domains in the configuration, and the name of the credential.
  fileprivate var failureDomains: [FailureDomain: String] {
    var found: [FailureDomain: String] = [:]
    for domain in FailureDomain.allCases {
      if let named = Domain(rawValue: domain.rawValue) { found[domain] = domains[named] }
    }
    found[.credential] = credentialName
    return found
  }

  /// The name of the credential with which this host reaches the target. The name is not a secret.
  private var credentialName: String {
    if isDirectory { return "of this host" }
    if location.hasPrefix("s3:") {
      let file = s3.credentialsFile.map { " in \($0)" } ?? ""
      return s3.profile.map { "the profile \($0)" + file } ?? (file.isEmpty ? "of the environment" : "the keys" + file)
    }
    return "of ssh for \(location.dropFirst("sftp:".count).prefix { $0 != "/" })"
  }

  /// The kind of storage: the one in the configuration, or else the one that the location shows.
  fileprivate var mediumName: String {
    domains[.medium] ?? (isDirectory ? "disk" : location.hasPrefix("s3:") ? "object storage" : "disk of a server")
  }
}
