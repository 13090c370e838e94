package import HoldfastArchive
package import HoldfastModel
package import HoldfastRepository
internal import HoldfastSystem

/// A change of the list of targets. It is prepared in memory, and then published as the next revision.
package struct TargetListChange: Sendable {
  private let repository: Repository
  private let before: TargetList?
  /// The list after the change.
  package private(set) var list: TargetList

  /// - Parameter home: the home of a repository without a list, which has given all numbers so far. Its residue is not
  ///   used.
  package init(_ repository: Repository, home: TargetList.Member) throws {
    self.repository = repository
    before = try repository.targets.newest()
    var first = home
    first.residue = nil
    list =
      try before
      ?? TargetList(
        repository: repository.id, isSealed: repository.keyring.isSealed, home: first,
        above: Self.highestNumber(in: repository), time: RecordedTime(repository.host.clock.now()))
  }

  /// Returns the highest number of a snapshot or of a revision of notes; 0 when there is none.
  private static func highestNumber(in repository: Repository) throws -> UInt64 {
    let sources = Set(try repository.catalog.sourceNames()).union(repository.memory?.sources ?? [])
    let numbers = try sources.flatMap { source -> [UInt64?] in
      let notes = try repository.notes.read(source)
      return try [
        repository.catalog.sequences(of: source).last, repository.memory?.head(of: source)?.sequence,
        notes.notes.highest, notes.next,
      ]
    }
    return numbers.compactMap(\.self).max() ?? 0
  }

  package var isChanged: Bool { list != before }

  /// Adds a target with a residue that was never given, or changes the location and the domains of a known target.
  /// - Parameter member: the target; its residue is not used.
  /// - Throws: `EngineError` when no residue is left.
  package mutating func add(_ member: TargetList.Member) throws {
    if let index = list.targets.firstIndex(where: { $0.name == member.name }) {
      (list.targets[index].location, list.targets[index].domains) = (member.location, member.domains)
      return
    }
    guard list.targets.count < TargetList.membersMax, let residue = list.nextResidue else {
      throw EngineError(
        .usage,
        "no numbers are left for the target \(member.name): \(TargetList.membersMax) targets were in the list, and nobody gets the numbers of another",
        hint: "Keep to the name of one that is in the list, or start a new repository beside this one.")
    }
    var added = member
    added.residue = residue
    list.targets.append(added)
  }

  /// Makes a target home.
  /// - Throws: `EngineError` when the list does not have it, or it is home already.
  package mutating func promote(_ name: String) throws {
    try checkHas(name)
    guard list.home != name else {
      throw EngineError(
        .usage, "\(name) is home already, by revision \(list.revision) of the list of targets",
        hint: "Name it first in the configuration.", exitStatus: .usage)
    }
    guard list.erasure == nil || list.member(name)?.shard != nil else {
      throw EngineError(
        .usage, "\(name) is a spare: it has no shards, and home must have them",
        hint:
          "Promote a target that has: \(list.targets.filter { $0.shard != nil }.map(\.name).joined(separator: ", ")).",
        exitStatus: .usage)
    }
    list.home = name
  }

  /// Divides containers over the targets in another scheme, or for the first time.
  /// - Parameter scheme: the scheme; `nil` if every target has them whole.
  /// - Throws: `EngineError` when there are fewer targets than shards, or when containers that are divided would have
  ///   to be whole again.
  package mutating func divide(_ scheme: ErasureScheme?) throws {
    guard scheme != list.erasure else { return }
    guard let scheme else {
      let known = list.erasure.map { "\($0)" } ?? ""
      throw EngineError(
        .usage,
        "archives are in shards, \(known), by revision \(list.revision) of the list of targets, and the configuration has no `erasure`",
        hint: "Write `erasure: \(known)`. To have whole archives again, start a new repository beside this one.",
        exitStatus: .usage)
    }
    guard scheme.shards <= list.targets.count else {
      throw EngineError(
        .usage,
        "\(scheme) needs \(scheme.shards) targets, and the list of targets has \(list.targets.count)",
        hint: "Add targets first (`holdfast target add NAME`), or write smaller numbers.", exitStatus: .usage)
    }
    list.divide(scheme)
  }

  /// Takes a target out. Nobody gets its numbers.
  /// - Throws: `EngineError` when the list does not have it, or it is home.
  package mutating func remove(_ name: String) throws {
    try checkHas(name)
    guard list.home != name else {
      throw EngineError(
        .usage, "\(name) is home", hint: "Make another one home first: `holdfast target promote NAME`.",
        exitStatus: .usage)
    }
    if let scheme = list.erasure, list.member(name)?.shard != nil, list.spares.isEmpty {
      throw EngineError(
        .usage, "without \(name) there are \(list.targets.count - 1) targets, and \(scheme) needs \(scheme.shards)",
        hint:
          "Add another target first (`holdfast target add NAME`), or write another `erasure` and run `holdfast sync`.",
        exitStatus: .usage)
    }
    try checkIsReadable(without: name)
    list.remove(name)
  }

  /// Throws if fewer targets would stay than it takes to read everything: a spare that takes over a position has
  /// nothing before the next sync.
  private func checkIsReadable(without name: String) throws {
    guard let scheme = list.erasure, list.member(name)?.shard != nil else { return }
    let complete = try ShardCoverage(repository).complete.subtracting([name])
    guard complete.count < scheme.data else { return }
    let names = complete.sorted().joined(separator: ", ")
    throw EngineError(
      .usage,
      "without \(name), \(complete.isEmpty ? "no target" : "only \(names)") would have all its shards, and \(scheme) needs \(scheme.data) targets that have",
      hint: "Run `holdfast sync` first, with \(name) if it answers: the others get theirs.", exitStatus: .usage)
  }

  private func checkHas(_ name: String) throws {
    guard list.member(name) == nil else { return }
    throw EngineError(
      .usage, "the list of targets does not have \(Path(name))",
      hint: "It has \(list.targets.map(\.name).joined(separator: ", ")).", exitStatus: .usage)
  }

  /// Makes the list durable in the repository that was opened, if it has changed.
  package func publish() throws {
    if isChanged { try repository.targets.store.publish(list) }
  }
}
