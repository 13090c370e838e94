package import HoldfastArchive
package import HoldfastEngine
internal import HoldfastModel

/// `holdfast target list --json` for a repository that is not configured: a target as the list of targets has it.
package struct TargetMemberJSON: Encodable {
  private let target: String
  private let location: String
  private let home: Bool
  private let domains: [String: String]
  /// The position of its shards; not there where archives are whole, and for a spare.
  private let shard: Int?

  package init(_ member: TargetList.Member, in list: TargetList) {
    (target, location, domains) = (member.name, member.location, member.domains)
    (home, shard) = (member.name == list.home, member.shard)
  }
}

/// `holdfast target check --json`: one target, with what was found, or the error.
package struct TargetCheckJSON: Encodable {
  private let target: String
  private let check: Known<StoreCheckJSON>
  private let error: Known<ErrorJSON.Failure>

  package init(_ target: String, _ check: Result<StoreCheck, any Error>) {
    self.target = target
    switch check {
    case .success(let found): (self.check, error) = (Known(StoreCheckJSON(found)), Known(nil))
    case .failure(let failure): (self.check, error) = (Known(nil), Known(ErrorJSON.Failure(describe(failure))))
    }
  }
}

extension TargetList {
  /// `holdfast target list` for a repository that is not configured.
  package var lines: [String] {
    targets.map {
      TargetStandingText.head($0.name, location: $0.location, isHome: $0.name == home, domains: $0.domains) + place($0)
    }
  }

  /// Returns the position of a target, where archives are divided.
  private func place(_ member: Member) -> String {
    guard let erasure else { return "" }
    return member.shard.map { "; shard \($0) of \(erasure)" } ?? "; spare of \(erasure)"
  }
}
