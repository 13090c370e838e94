import HoldfastModel
import HoldfastSource
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What is read of a PostgreSQL cluster, and what is found wrong with it.
@Suite struct PostgresFileTests {
  private let cluster: TestCluster
  private let files = FileSystem()
  private let root: OpenFile

  init() throws {
    cluster = try TestCluster()
    root = try files.open(cluster.data, .directory)
  }

  private func found() throws -> PostgresCluster {
    try #require(try PostgresCluster(holding: Path("PG_VERSION"), in: root, files: files))
  }

  /// The pages of a file that fail their checksums.
  private func badPages(
    _ path: Path, isLive: Bool = false, isLogged: @escaping @Sendable (LogSequenceNumber) -> Bool = { _ in false }
  ) throws -> [UInt64] {
    let handle = try files.open(path, in: root, .read)
    let status = try handle.status()
    let cluster = isLive ? try found().live() : try found()
    let file = PostgresFile(handle, at: path, in: cluster, before: status, attempt: 1, isLogged: isLogged)
    let buffer = Buffer(capacity: Int(status.size))
    #expect(try file.read(into: buffer.bytes, at: 0) == Int(status.size))
    return file.badPages
  }

  /// The relations of the first database, by path in the cluster.
  private func relations() -> [Path] {
    TestFiles.names(in: cluster.data.appending("base/1")).filter { $0.allSatisfy { $0.isNumber || $0 == "_" } }
      .map { Path("base/1/" + $0) }.filter { !(TestFiles.read(cluster.data.appending($0.bytes)) ?? []).isEmpty }
  }

  @Test func everyPageOfANewClusterIsSound() throws {
    let relations = relations()
    #expect(relations.count > 100)
    for path in relations { #expect(try badPages(path) == [], "\(path)") }
  }

  @Test func everyBitOfAPageIsCovered() throws {
    let path = try #require(relations().first { !$0.description.contains("_") })
    let place = cluster.data.appending(path.bytes)
    let sound = try #require(TestFiles.read(place))
    var random = SeededRandom(seed: 91)
    for _ in 0..<200 {
      var damaged = sound
      let bit = Int.random(in: 0..<damaged.count * 8, using: &random)
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      TestFiles.overwrite(place, at: 0, with: damaged)
      #expect(try badPages(path) == [UInt64(bit / 8 / 8192)], "bit \(bit), seed 91")
    }
  }

  @Test func aPageInAnotherPlaceIsBadAndANewOneIsNot() throws {
    let path = try #require(
      relations().first { (TestFiles.read(cluster.data.appending($0.bytes)) ?? []).count >= 2 * 8192 })
    let place = cluster.data.appending(path.bytes)
    let page = try #require(TestFiles.read(place, at: 0, count: 8192))
    TestFiles.overwrite(place, at: 8192, with: page)
    #expect(try badPages(path) == [1])
    TestFiles.overwrite(place, at: 8192, with: [UInt8](repeating: 0, count: 8192))
    #expect(try badPages(path) == [])
    TestFiles.overwrite(place, at: 8192 + 5000, with: [1])
    #expect(try badPages(path) == [1])
  }

  /// A page that is written while it is read is made whole by the WAL, where the WAL of the capture has it.
  @Test func aTornPageIsSoundWhereTheLogHoldsIt() throws {
    let path = try #require(relations().first)
    let place = cluster.data.appending(path.bytes)
    let page = try #require(TestFiles.read(place, at: 0, count: 8192))
    // The first half is of LSN 0/5000028.
    TestFiles.overwrite(place, at: 0, with: [0, 0, 0, 0, 0x28, 0, 0, 5])
    #expect(page[..<8] != [0, 0, 0, 0, 0x28, 0, 0, 5])
    #expect(try badPages(path, isLive: true) == [0])
    #expect(try badPages(path, isLive: true) { $0 == LogSequenceNumber("0/5000028") } == [])
    #expect(try badPages(path, isLive: false) { _ in true } == [0], "without a server nothing makes it whole")
  }

  @Test func aControlFileThatIsNotSoundIsRefused() throws {
    let place = cluster.data.appending(ControlFile.path.bytes)
    let sound = try #require(TestFiles.read(place))
    let identifier = try found().control.system
    #expect(sound.prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) } == identifier)
    #expect(try found().control.hasPageChecksums)
    var random = SeededRandom(seed: 92)
    for _ in 0..<50 {
      var damaged = sound
      damaged[Int.random(in: 0..<280, using: &random)] ^= 0x10
      TestFiles.write(damaged, to: place)
      let refusal = PostgresFailure(
        "the source looks like a PostgreSQL cluster, and cannot understand global/pg_control: Bad message",
        hint: "Repair it, or leave it out with --exclude.")
      #expect(throws: refusal) { try found() }
    }
    TestFiles.write(Array(sound.prefix(100)), to: place)
    #expect(throws: PostgresFailure.self) { try found() }
  }

  @Test func theDirectoryOfADatabaseIsNoCluster() throws {
    #expect(try PostgresCluster(holding: Path("base/1/PG_VERSION"), in: root, files: files) == nil)
    #expect(try PostgresCluster(holding: Path("postgresql.conf"), in: root, files: files) == nil)
  }

  @Test func whatAServerMakesAnewIsNotScanned() throws {
    let made = [
      "base/1/t3_16400", "base/1/t3_16400_fsm", "base/1/16401", "base/1/16401_init", "base/1/16401.1",
      "base/1/16401_vm",
      "base/1/16402", "base/1/pg_internal.init", "base/pgsql_tmp/pgsql_tmp1.0", "postmaster.pid", "backup_manifest",
      "pg_replslot/slot/state", "pg_wal/000000010000000000000009", "pg_wal/archive_status/x.done", "backup_label",
      "pg_stat_tmp/global.stat", "extra",
    ]
    for name in made {
      let place = cluster.data.appending(name)
      TestFiles.makeDirectory(place.parent ?? .root)
      TestFiles.write("0", to: place)
    }
    #expect(
      try scanned(made, [found()])
        == made.filter {
          !$0.contains("pgsql_tmp") && !$0.contains("internal")
            && !["postmaster.pid", "backup_manifest"].contains($0)
        })
    #expect(try scanned(made, [found().live()]) == ["base/1/16401_init", "base/1/16402", "extra"])
  }

  private func scanned(_ names: [String], _ clusters: [PostgresCluster]) throws -> [String] {
    let scanner = Scanner(files: files, root: root, exclusions: [], clusters: clusters)
    var seen: Set<String> = []
    while let finding = try scanner.next() {
      if case .item(let item) = finding { seen.insert(item.path.description) }
    }
    return names.filter { seen.contains($0) }
  }
}
