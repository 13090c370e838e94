import HoldfastArchive
import HoldfastCodec
import HoldfastEngine
import HoldfastModel
import HoldfastRepository
import HoldfastStore
import HoldfastTestShop
import HoldfastTestSupport
import Testing

/// Tests/Fixtures/format-1-sealed, and the published keys beside it.
enum SealedFixture {
  /// What opens it.
  enum Key: CaseIterable {
    case identity, passphrase

    func identity() throws -> RecoveryIdentity {
      switch self {
      case .identity: try RecoveryIdentity(file: SealedFixture.secret("identity.key"), name: "identity.key")
      case .passphrase: try SealedFixture.byPassphrase.get()
      }
    }
  }

  private static let fixtures = (Path(#filePath).parent?.parent ?? .root).appending("Fixtures")
  static let directory = fixtures.appending("format-1-sealed")

  static func keyFile(_ name: String) -> Path { fixtures.appending("format-1-sealed-keys").appending(name) }

  static func secret(_ name: String) throws -> SecretBytes {
    var bytes = try #require(TestFiles.read(keyFile(name)))
    return SecretBytes(taking: &bytes)
  }

  /// Derived once: that is meant to be slow.
  private static let byPassphrase = Result {
    var passphrase = try #require(TestFiles.read(keyFile("passphrase.txt"))).filter { $0 != UInt8(ascii: "\n") }
    let repository = try open()
    let seal = try #require(repository.keyring.sealed?.keyring.recipients[1].passphrase)
    let identity = try seal.open(passphrase: SecretBytes(taking: &passphrase), repository: repository.id)
    return try #require(identity)
  }

  static func writer(_ name: String) throws -> WriterKey { try WriterKey(file: secret(name), name: name) }

  /// - Parameters:
  ///   - key: `nil` to open nothing.
  ///   - writer: the key file of the writer as whom it is used.
  ///   - directory: where a copy lies; `nil` for the fixture itself.
  static func open(_ key: Key? = nil, writer name: String? = nil, at directory: Path? = nil) throws -> Repository {
    var credentials = Credentials.none
    credentials.identities = { _ in try key.map { [try $0.identity()] } ?? [] }
    if let name { credentials.writer = { try writer(name) } }
    let host = TestHost.make()
    return try Repository.open(
      LocalStore(directory: directory ?? Self.directory, host: host), host: host, credentials: credentials)
  }

  static func snapshot(_ golden: GoldenSource, in repository: Repository) throws -> Snapshot {
    let name = try #require(SourceName(golden.name))
    let snapshot = try repository.catalog.snapshotIfCommitted(name, UInt64(golden.sequence))
    return try #require(snapshot)
  }

  static func verify(_ repository: Repository) throws -> Verify.Report {
    var options = Verify.Options()
    options.readsData = true
    return try Verify(repository: repository, options: options, progress: QuietProgress()).run(nil)
  }
}
