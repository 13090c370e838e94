package import HoldfastArchive

/// `holdfast target list --json` for a repository that is not configured: a target as the list of targets has it.
package struct TargetMemberJSON: Encodable {
  private let target: String
  private let location: String
  private let home: Bool
  private let domains: [String: String]

  package init(_ member: TargetList.Member, in list: TargetList) {
    (target, location, domains) = (member.name, member.location, member.domains)
    home = member.name == list.home
  }
}

extension TargetList {
  /// `holdfast target list` for a repository that is not configured.
  package var lines: [String] {
    targets.map {
      TargetStandingText.head($0.name, location: $0.location, isHome: $0.name == home, domains: $0.domains)
    }
  }
}
