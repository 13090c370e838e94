import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// What an operator writes for a repository is a path, unless it begins with a scheme that there is.
@Suite struct StoreLocationTests {
  @Test(arguments: [
    "/backup/shop", "backup", "./s3:orders", "/srv/s3:orders", "a:b", "./ftp://host/x", "./S3:x", "sftp", "s3", "",
    "x:s3:y", "/srv/a@b:c", "./a@b:c", "a@b", "a/b@c:d", "://x", "1:/x", "a b://c",
  ])
  func anythingElseIsAPath(_ text: String) throws {
    #expect(try StoreLocation(text) == .directory(Path(text)))
  }

  @Test func locationsOfSFTPAreRead() throws {
    let server = StoreLocation.Server(host: "backup.example", port: 2222)
    #expect(
      try StoreLocation("sftp:holdfast@backup.example:2222/srv/shop/")
        == .sftp(user: "holdfast", server: server, path: "/srv/shop"))
    #expect(
      try StoreLocation("sftp:a@[2001:db8::1]/x")
        == .sftp(user: "a", server: StoreLocation.Server(host: "[2001:db8::1]", port: nil), path: "/x"))
    #expect(try StoreLocation("sftp:a@[::1]:22/x").description == "sftp:a@[::1]:22/x")
  }

  @Test func locationsOfS3AreRead() throws {
    let server = HTTPServer(host: "s3.example", port: nil)
    #expect(try StoreLocation("s3:https://s3.example/bucket") == .s3(server: server, bucket: "bucket", prefix: ""))
    for text in ["s3:https://s3.example/bucket/shop/orders", "s3:https://s3.example/bucket//shop/orders/"] {
      #expect(try StoreLocation(text) == .s3(server: server, bucket: "bucket", prefix: "shop/orders/"))
    }
    #expect(
      try StoreLocation("s3:https://127.0.0.1:9000/bucket").description == "s3:https://127.0.0.1:9000/bucket/")
    #expect(
      try StoreLocation("s3:http://127.0.0.1:9000/bucket")
        == .s3(server: HTTPServer(host: "127.0.0.1", port: 9000, isEncrypted: false), bucket: "bucket", prefix: ""))
  }

  @Test(arguments: [
    ("sftp:backup.example/srv", "it names no user"), ("sftp:@backup.example/srv", "it names no user"),
    ("sftp:a@backup.example", "it names no directory"), ("sftp:a@backup.example/", "it names no directory"),
    ("sftp:a@/srv", "it names no host"), ("sftp://a@h/srv", "it has slashes in front of its user"),
    ("sftp:a@h:0/srv", "its port is no number from 1 to 65535"),
    ("sftp:a@h:99999/srv", "its port is no number from 1 to 65535"), ("sftp:a@[::1/srv", "it names no host"),
    ("s3:orders", "it does not go on with https://"), ("s3:ftp://h/b", "it does not go on with https://"),
    ("s3:http://h/b", "only a server on this machine may be reached without TLS"),
    ("s3:http://127.0.0.1.example/b", "only a server on this machine may be reached without TLS"),
    ("s3:https://h", "it names no bucket"), ("s3:https://h/", "it names no bucket"),
    ("s3:https:///b", "it names no host"),
  ])
  func whatIsNotSoundIsAnErrorOfUsage(_ text: String, _ finding: String) {
    let error = #expect(throws: LocationError.self) { try StoreLocation(text) }
    #expect(error?.message == "the location \(text) is not sound: \(finding)")
    #expect(error?.exitStatus == .usage)
    #expect(error?.hint?.contains("is written ./") == true)
  }

  /// A secret stays out of every message, wherever somebody has put it.
  @Test(arguments: [
    ("sftp://shop:hunter2@nas.example/srv/x", "sftp:…@nas.example/srv/x"),
    ("sftp:shop:hunter2@nas", "sftp:…@nas"), ("sftp:shop:hun/ter2@nas/x", "sftp:…@nas/x"),
    ("sftp:shop:hunter@2@nas/x", "sftp:…@nas/x"), ("s3://AKID:hunter2@s3.example/bucket", "s3:…@s3.example/bucket"),
    ("s3:https://AKID:hunter2@s3.example/bucket", "s3:…@s3.example/bucket"),
    ("s3:https://AKID:hun/ter2@s3.example/bucket", "s3:…@s3.example/bucket"),
    ("s3:https://hunter2@s3.example/bucket", "s3:…@s3.example/bucket"),
    ("s3:http://AKID:hunter2@s3.example/bucket", "s3:…@s3.example/bucket"),
    ("ssh://shop:hunter2@nas/srv", "ssh:…@nas/srv"), ("https://hunter2@h/b", "https:…@h/b"),
    ("SFTP:shop:hunter2@nas/srv", "SFTP:…@nas/srv"), ("shop:hunter2@nas:/srv", "shop:…@nas:/srv"),
    ("shop:hunter2@nas/srv", "shop:…@nas/srv"),
  ])
  func noMessageShowsASecret(_ text: String, _ shown: String) {
    let error = #expect(throws: LocationError.self) { try StoreLocation(text) }
    #expect(error?.message == "the location \(shown) has a password or a key in it")
    #expect(error?.hint?.hasPrefix("Write s") == true)
    #expect(error?.exitStatus == .usage)
  }

  /// A location that is sound may have an `@` in its path.
  @Test(arguments: ["s3:https://s3.example:9000/bucket/pre@fix", "sftp:a@h:22/srv/x@y:z"])
  func aPathMayHaveWhatASecretHas(_ text: String) throws {
    #expect(try StoreLocation(text).description.hasPrefix(text))
    #expect(AddressText.masked(text) == text || text.hasPrefix("sftp:"))
  }

  /// A mistyped location is not made into a directory on the disk that is to be backed up.
  @Test(arguments: [
    ("ssh://backup@nas/srv", StoreScheme.sftp), ("backup@nas:/srv/shop", .sftp), ("backup@nas:shop", .sftp),
    ("SFTP:backup@nas/srv", .sftp), ("S3:https://h/b", .s3), ("S3:x", .s3), ("https://h/b", .s3), ("gs://b", .s3),
    ("file:///backup", .directory), ("ftp://host/x", .sftp), ("rest+tls://h", .sftp),
  ])
  func aServerThatIsNamedInAnotherWayIsNoDirectory(_ text: String, _ scheme: StoreScheme) {
    let error = #expect(throws: LocationError.self) { try StoreLocation(text) }
    #expect(
      error?.description == """
        \(text) looks like a server, and is no location of one
        HINT: Write \(scheme.form); with ./ in front it is a directory of this machine.
        """)
    #expect(error?.exitStatus == .usage && error?.scope == .usage)
  }

  @Test func aDirectoryThatIsThereIsNoServer() throws {
    for text in ["backup@nas:shop", "a@b:/c"] {
      #expect(try StoreLocation(text) { $0 == text } == .directory(Path(text)))
    }
    #expect(throws: LocationError.self) { try StoreLocation("ssh://a") { _ in true } }
  }

  @Test(arguments: ["s3:https://h/b"]) func aSchemeWithoutAStoreIsAnErrorOfUsage(_ text: String) throws {
    let location = try StoreLocation(text)
    let error = #expect(throws: LocationError.self) {
      try StoreSchemes.builtIn.open(location, TestHost.make())
    }
    #expect(error == .unsupported(location.scheme))
    #expect(error?.exitStatus == .usage)
  }

  @Test func aDirectoryHasNoLayers() throws {
    let directory = TemporaryDirectory()
    let store = try StoreSchemes.builtIn.open(.directory(directory.path), TestHost.make())
    #expect(store is LocalStore)
    #expect(store.directory == directory.path)
  }

  /// What fails for now is tried again where a location lies far away, and manifests are read once.
  @Test func aLocationFarAwayHasThem() throws {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.partBytes, traits.connections) = (false, 1000, 3)
    let memory = MemoryStore(traits)
    let schemes = StoreSchemes([.s3: { _, _, _ in FaultyStore(memory, seed: 3) }])
    var options = OpeningOptions()
    options.isCached = { $0.hasSuffix(".json") }
    let store = try schemes.open(StoreLocation("s3:https://h/b"), TestHost.make(), options)
    for number in 1...8 {
      let writer = try store.create("\(number).json")
      try [UInt8(number)].withUnsafeBytes { try writer.append($0) }
      try writer.commit()
    }
    memory.forgetRequests()
    for _ in 1...3 {
      for number in 1...8 {
        var bytes: [UInt8] = [0]
        try bytes.withUnsafeMutableBytes { try store.open("\(number).json").read(into: $0, at: 0) }
        #expect(bytes == [UInt8(number)])
      }
    }
    #expect(Set(memory.opened).count == 8)
    #expect(memory.opened.count < 16)
    #expect(store.directory == nil)
  }
}
