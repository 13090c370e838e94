internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// Compares the archived log of one source at the targets.
struct ScrubLogs: Sendable {
  /// The manifests of the archived log at one target.
  struct Survey: Sendable {
    /// The sound manifests, by key.
    var sound: [String: ArchivedWAL] = [:]
    var damaged: [String: DamageError] = [:]
  }

  private let source: SourceName
  private let targets: [ScrubTarget]
  private let surveys: [Survey]

  /// - Parameter surveys: one for each target.
  init(of source: SourceName, _ targets: [ScrubTarget], _ surveys: [Survey]) {
    (self.source, self.targets, self.surveys) = (source, targets, surveys)
  }

  static func survey(_ source: SourceName, _ target: ScrubTarget) throws -> Survey {
    let archive = WALArchive(target.repository, of: source)
    var survey = Survey()
    for system in try archive.systems() {
      for (file, copy) in try archive.allCopies(of: system) {
        try target.repository.host.cancellation.check()
        let key = Keys.walManifest(source, system, file, copy: copy)
        do {
          survey.sound[key] = try archive.find(file, of: system, copy: copy)
        } catch let damage as DamageError {
          survey.damaged[key] = DamageError(key, damage.finding)
        }
      }
    }
    return survey
  }

  /// Adds the archived log of a target to its demands.
  func add(to demands: inout ScrubDemands, at index: Int) throws {
    if let home = targets.firstIndex(where: \.isHome), index != home {
      let wanted = Set(surveys[home].sound.keys).union(surveys[home].damaged.keys)
      let there = Set(surveys[index].sound.keys).union(surveys[index].damaged.keys)
      demands.behind.logs = wanted.subtracting(there).count
    }
    for (key, damage) in surveys[index].damaged.sorted(by: { $0.key < $1.key }) {
      demands.faults.append(ScrubFault(damage: damage, demand: .small(try bytes(key, notAt: index))))
    }
    var known = surveys[index].sound
    for key in surveys[index].damaged.keys { known[key] = surveys.lazy.compactMap { $0.sound[key] }.first }
    for (key, archived) in known.sorted(by: { $0.key < $1.key }) {
      let item = ContainerCopy.Item(
        kind: .wal, key: archived.manifest.objectKey, reference: archived.manifest.object)
      demands.demanders[item.key] = key
      switch try targets[index].presence(of: item) {
      case .asRecorded: demands.items.append(item)
      case .missing: demands.faults.append(.missing(item, for: key))
      case .otherwise(let length): demands.faults.append(.length(length, item, for: key))
      }
      if let first = surveys.firstIndex(where: { $0.sound[key] != nil }), surveys[first].sound[key] != archived {
        demands.fork =
          demands.fork
          ?? .forked(key: key, target: targets[index].location, home: targets[first].location)
      }
    }
  }

  /// Returns the bytes of a manifest from another target that has it sound; `nil` when none has.
  private func bytes(_ key: String, notAt index: Int) throws -> [UInt8]? {
    for (other, survey) in surveys.enumerated() where other != index {
      guard let archived = survey.sound[key], let bytes = try targets[other].soundBytes(key),
        try ArchivedWAL(parsing: bytes, name: key) == archived
      else { continue }
      return bytes
    }
    return nil
  }
}
