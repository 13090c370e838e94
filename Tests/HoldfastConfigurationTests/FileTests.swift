import HoldfastConfiguration
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Which files are read, and which are not.
@Suite struct FileTests {
  @Test func withoutFilesThereIsNoConfiguration() throws {
    #expect(try Site().load() == nil)
  }

  @Test func filesOfTheFolderArePutTogetherInOrder() throws {
    let site = Site()
    site.write("repositories: {shop: {path: /backup/shop}}\nsources: {orders: {path: /srv/orders}}\n")
    site.write("sources: {customers: {path: /srv/customers}}\n", to: "conf.d/20-customers.yaml")
    site.write("sources: {orders: {paranoid: yes}}\n", to: "conf.d/10-orders.yaml")
    site.write("nonsense: {", to: "conf.d/README")
    site.write("nonsense: {", to: "conf.d/.hidden.yaml")
    let settings = try #require(try site.load())
    #expect(
      settings.files.map { String(decoding: $0.lastComponent, as: UTF8.self) } == [
        "holdfast.yaml", "10-orders.yaml", "20-customers.yaml",
      ])
    #expect(settings.source("orders")?.isParanoid == true)
    #expect(settings.source("customers") != nil)
  }

  @Test func theFolderAloneIsEnough() throws {
    let site = Site()
    site.write(Sound.text, to: "conf.d/all.yaml")
    #expect(try site.load()?.source("orders") != nil)
  }

  @Test func oneKeyInTwoFilesIsAMistakeThatNamesBothPlaces() {
    let site = Site()
    site.write(Sound.text)
    site.write("sources: {orders: {path: /srv/other}}\n", to: "conf.d/orders.yaml")
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/conf.d/orders.yaml:1:26: sources.orders.path stands here and at DIR/holdfast.yaml:4:18
        HINT: Keep one of the two: files do not override each other.
        """)
  }

  @Test func aFileThatWouldBeOverlookedIsTold() {
    let site = Site()
    site.write(Sound.text)
    site.write("sources: {}\n", to: "conf.d/orders.yml")
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/conf.d/orders.yml:1:1: this file is not read: its name does not end in .yaml
        HINT: Rename it.
        """)
  }

  @Test func aUsersOwnFileTakesThePlaceOfTheMachines() throws {
    let site = Site()
    site.write(Sound.text)
    site.write("repositories: {home: {path: /backup/home}}\n", to: "user/holdfast.yaml")
    var location = ConfigurationLocation()
    location.system = site.directory.path
    location.user = site.directory.appending("user")
    #expect(try site.load(location)?.repositories.map(\.name) == ["home"])
    location.user = site.directory.appending("nobody")
    #expect(try site.load(location)?.repositories.map(\.name) == ["shop"])
    #expect(location.usual == site.directory.appending("nobody").appending("holdfast.yaml"))
  }

  @Test func aNamedFileTakesThePlaceOfAllOthers() throws {
    let site = Site()
    site.write("nonsense: {")
    site.write(Sound.text, to: "other.yaml")
    var location = ConfigurationLocation()
    location.system = site.directory.path
    location.named = site.directory.appending("other.yaml")
    #expect(try site.load(location)?.files == [site.directory.appending("other.yaml")])
  }

  private func complaint(named path: Path, _ site: Site) -> String {
    var location = ConfigurationLocation()
    location.named = path
    do {
      return "\(String(describing: try site.load(location)))"
    } catch {
      return "\(error)".replacing(String(decoding: site.directory.path.bytes, as: UTF8.self), with: "DIR")
    }
  }

  @Test func aNamedFileThatIsNotThereOrNoFileIsTold() {
    let site = Site()
    #expect(
      complaint(named: site.directory.appending("missing.yaml"), site) == """
        the configuration has 1 mistake
        there is no configuration file DIR/missing.yaml
        HINT: Name another one with --config, or make it: see `holdfast config example`.
        """)
    #expect(
      complaint(named: site.directory.path, site) == """
        the configuration has 1 mistake
        DIR:1:1: this is no file
        HINT: Name a file of YAML.
        """)
    TestFiles.makeFifo(site.directory.appending("fifo"))
    #expect(complaint(named: site.directory.appending("fifo"), site).contains("DIR/fifo:1:1: this is no file"))
  }

  @Test func aFileThatOthersCanChangeIsNotTrusted() {
    let site = Site()
    site.write(Sound.text)
    TestFiles.setMode(site.main, 0o664)
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:1:1: others can change this file (mode 0664)
        HINT: Run `chmod go-w DIR/holdfast.yaml`.
        """)
  }

  @Test(.requires(.root)) func aFileOfAnotherUserIsNotTrusted() {
    let site = Site()
    site.write(Sound.text)
    TestFiles.setOwner(site.main, userID: 12_345, groupID: 0)
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:1:1: this file belongs to another user (12345)
        HINT: It must belong to root or to you (0).
        """)
  }

  @Test func aFileIsRefusedBeforeItFillsTheMemory() {
    let site = Site()
    site.write("# " + String(repeating: "x", count: 1 << 20))
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:1:1: this file is too long
        HINT: A configuration has at most 1 MiB.
        """)
  }

  @Test func aliasesThatMultiplyAreStopped() {
    let site = Site()
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...9 {
      text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
    }
    site.write(text)
    #expect(
      site.complaint() == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:5:10: it has too many parts
        HINT: No configuration needs more than 20000; look at its aliases.
        """)
  }

  @Test func whatIsMissingBecauseAFileCannotBeReadIsNoMistake() {
    let site = Site()
    site.write("repositories: {shop: {path")
    site.write("sources: {orders: {path: /srv/orders, repository: shop, colour: red}}\n", to: "conf.d/orders.yaml")
    let complaint = site.complaint() ?? ""
    #expect(complaint.hasPrefix("the configuration has 2 mistakes\n"))
    #expect(complaint.contains("DIR/conf.d/orders.yaml:1:57: there is no key colour in a source\n"))
    #expect(complaint.contains("DIR/holdfast.yaml:2:1: it is not YAML: "))
  }

  // MARK: Secrets

  private func secret(_ bytes: [UInt8], mode: UInt32 = 0o600) -> Site {
    let site = Site()
    let path = site.directory.appending("secret")
    TestFiles.write(bytes, to: path)
    TestFiles.setMode(path, mode)
    site.write(
      Sound.text + "notifications: {ping: {ping-url-file: \(String(decoding: path.bytes, as: UTF8.self))}}\n")
    return site
  }

  private func read(_ site: Site) throws -> String {
    guard case .ping(let secret)? = try site.load()?.notifications.first?.target else { return "" }
    return try secret.read(FileSystem())
  }

  @Test func aSecretIsReadFromItsFile() throws {
    let site = secret(Array("https://ping.example/1\n".utf8))
    #expect(site.complaint(checksSecrets: true) == nil)
    #expect(try read(site) == "https://ping.example/1")
  }

  @Test func aSecretOfSeveralLinesIsRefused() {
    let site = secret(Array("one\ntwo\n".utf8))
    let complaint = #expect(throws: Mistake.self) { try read(site) }
    #expect(complaint?.message == "\(site.directory.path)/secret does not hold one line")
    #expect(complaint?.hint == "Put the secret into it, and nothing else.")
    #expect(complaint?.position?.line == 5)
  }

  @Test func aSecretThatOthersCanReadIsAMistakeAtThePlaceThatNamesIt() {
    #expect(
      secret([], mode: 0o644).complaint(checksSecrets: true) == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:5:39: the file DIR/secret can be used by others (mode 0644)
        HINT: Run `chmod 600 DIR/secret`, and think about who may have read it.
        """)
  }

  @Test func everyFileOfASecretIsLookedAt() {
    let site = Site()
    site.write(
      """
      repositories:
        shop:
          path: /backup
          identity: /nowhere/1
          writer-key: /nowhere/2
          passphrase-file: /nowhere/3
      notifications:
        a: {ping-url-file: /nowhere/4}
        b: {webhook-url-file: /}
      """)
    #expect(
      site.complaint(checksSecrets: true) == """
        the configuration has 5 mistakes
        DIR/holdfast.yaml:4:15: there is no file /nowhere/1
        HINT: Make it, with mode 0600, or name another one.
        DIR/holdfast.yaml:5:17: there is no file /nowhere/2
        HINT: Make it, with mode 0600, or name another one.
        DIR/holdfast.yaml:6:22: there is no file /nowhere/3
        HINT: Make it, with mode 0600, or name another one.
        DIR/holdfast.yaml:8:22: there is no file /nowhere/4
        HINT: Make it, with mode 0600, or name another one.
        DIR/holdfast.yaml:9:25: / is no file
        HINT: Name the file that holds the secret.
        """)
    #expect(site.complaint() == nil, "who does not use them need not read them")
  }

  @Test(.requires(.root)) func aSecretOfAnotherUserIsRefused() {
    let site = secret([])
    TestFiles.setOwner(site.directory.appending("secret"), userID: 12_345, groupID: 0)
    #expect(
      site.complaint(checksSecrets: true) == """
        the configuration has 1 mistake
        DIR/holdfast.yaml:5:39: the file DIR/secret belongs to another user (12345)
        HINT: Run as that user, or use a copy that belongs to the one you are (0).
        """)
  }
}
