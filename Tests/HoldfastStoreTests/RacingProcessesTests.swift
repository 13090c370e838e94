import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Two processes that create the same keys in one directory: each key has one creator, and its bytes.
@Suite(.timeLimit(.minutes(30))) struct RacingProcessesTests {
  private let directory = TemporaryDirectory()
  private static let rounds = 200
  private static let names = ["one", "two"]

  @Test func ofTwoProcessesOneCreatesEachKey() async throws {
    let path = directory.path.text
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in Self.names {
        group.addTask {
          await #expect(processExitsWith: .success) { [path = path as String, name = name as String] in
            try Racer(path, name).run(rounds: RacingProcessesTests.rounds)
          }
        }
      }
      try await group.waitForAll()
    }
    let store = LocalStore(directory: directory.path, host: TestHost.make())
    let won = try Self.names.map { name in
      Set(
        String(decoding: try #require(TestFiles.read(directory.appending("won-\(name)"))), as: UTF8.self)
          .split(separator: "\n").map(String.init))
    }
    #expect(won[0].isDisjoint(with: won[1]))
    #expect(won[0].union(won[1]).count == Self.rounds)
    for (name, keys) in zip(Self.names, won) {
      for key in keys {
        let object = try store.open(key)
        var bytes = [UInt8](repeating: 0, count: Int(object.length))
        try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
        #expect(bytes == Array(name.utf8), "\(key) is not its creator's")
      }
    }
  }
}

/// One of the two. It begins when the other one is there.
private struct Racer {
  let directory: Path
  let name: String
  let store: LocalStore

  init(_ directory: String, _ name: String) {
    self.directory = Path(directory)
    self.name = name
    store = LocalStore(directory: self.directory, host: TestHost.make())
  }

  func run(rounds: Int) throws {
    TestFiles.write("", to: directory.appending("ready-\(name)"))
    while TestFiles.names(in: directory).count(where: { $0.hasPrefix("ready-") }) < 2 { Pause.briefly() }
    var won: [String] = []
    for round in 0..<rounds {
      let key = "race/\(round)"
      let writer = try store.create(key)
      try Array(name.utf8).withUnsafeBytes { try writer.append($0) }
      do {
        try writer.commit()
        won.append(key)
      } catch StoreError.alreadyExists {
        continue
      }
    }
    TestFiles.write(won.joined(separator: "\n"), to: directory.appending("won-\(name)"))
  }
}
