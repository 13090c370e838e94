import HoldfastDoctor
import HoldfastModel
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// `check` uses each key: it signs with the writer key, and opens the newest snapshot with identity and passphrase.
@Suite struct KeyTrialTests {
  /// A sealed repository with one snapshot.
  private func site(_ repository: String = "") -> Site {
    let site = Site(repository: repository)
    let line = site.holdfast("key", "generate", identity(site).text).output.split(separator: "\n").last
    #expect(site.holdfast("init", "-r", "shop", "--recipient", String(line ?? "")).exitStatus == 0)
    #expect(site.holdfast("backup", "orders").exitStatus == 0)
    return site
  }

  private func identity(_ site: Site) -> Path { site.directory.appending("recovery.key") }
  private func writer(_ site: Site) -> Path { site.tool.configuration.appending("writer.key") }

  @Test func allKeysAreUsed() throws {
    let site = site()
    let keys = try site.lines(.keys, ["HOLDFAST_IDENTITY_FILE": identity(site).text])
    #expect(keys.count == 2, "\(keys)")
    #expect(
      keys[0].wholeMatch(
        of: /ok writer key: only this user can read it; it signs, and the keyring has it as .+ \(ID\)/) != nil,
      "\(keys)")
    #expect(keys[1] == "ok identity: it opens the newest snapshot, ID of orders")
    #expect(
      try site.lines(.keys).last
        == "notTried identity: neither an identity nor a passphrase is named here; backups need none, and a restore does"
    )
  }

  @Test func aWriterKeyThatIsMissingOrOpenToOthersOrUnknownIsNamed() throws {
    let site = site()
    TestFiles.setMode(writer(site), 0o644)
    let open = try site.lines(.keys)[0]
    #expect(open.hasPrefix("failed writer key: ") && open.contains("DIR/configuration/writer.key"), "\(open)")
    TestFiles.remove(writer(site))
    #expect(
      try site.lines(.keys)[0].hasPrefix(
        "failed writer key: there is no writer key file DIR/configuration/writer.key\nHINT: Run `holdfast key generate --writer"
      ))
    site.holdfast("key", "generate", "--writer", writer(site).text)
    #expect(
      try site.lines(.keys)[0].hasPrefix(
        "failed writer key: this machine's writer key (ID) is not in the keyring of the repository\nHINT: "))
  }

  @Test func aWriterThatWasRevokedIsNamed() throws {
    let site = site()
    let revoked = site.holdfast(
      "key", "remove", "-r", "shop", "--identity", identity(site).text, try writerID(site))
    #expect(revoked.exitStatus == 0, "\(revoked.error)")
    #expect(
      try site.lines(.keys)[0]
        == "failed writer key: this machine's writer key (ID) was revoked\nHINT: Run `holdfast key generate --writer FILE` for a new one, and enrol it with `holdfast key add`."
    )
  }

  private func writerID(_ site: Site) throws -> String {
    let keys = site.holdfast("key", "list", "-r", "shop").output
    return String(try #require(keys.firstMatch(of: /writer +.*?([0-9a-f]{8})/), "\(keys)").1)
  }

  @Test func anIdentityOfSomebodyElseOpensNothing() throws {
    let site = site()
    let other = site.directory.appending("other.key")
    site.holdfast("key", "generate", other.text)
    let line = try site.lines(.keys, ["HOLDFAST_IDENTITY_FILE": other.text])[1]
    #expect(
      line.hasPrefix("failed identity: none of the identities at hand opens this snapshot; it is sealed to "), "\(line)"
    )
    #expect(
      try site.lines(.keys, ["HOLDFAST_IDENTITY_FILE": "nowhere.key"])[1].hasPrefix(
        "failed identity: there is no identity file DIR/nowhere.key"))
  }

  @Test func aPassphraseThatNobodyHasIsNamed() throws {
    let site = site()
    let file = site.directory.appending("passphrase")
    TestFiles.write("several words", to: file)
    TestFiles.setMode(file, 0o600)
    #expect(
      try site.lines(.keys, ["HOLDFAST_PASSPHRASE_FILE": file.text])[1]
        == "failed passphrase: the keyring has no recipient with a passphrase\nHINT: Run `holdfast key list` to see the recipients, and correct the configuration."
    )
  }

  /// Before the first snapshot there is nothing to open, and the wrong key is noticed all the same.
  @Test func anIdentityThatWillOpenNothingIsNamedBeforeTheFirstSnapshot() throws {
    let site = Site()
    let line = site.holdfast("key", "generate", identity(site).text).output.split(separator: "\n").last
    #expect(site.holdfast("init", "-r", "shop", "--recipient", String(line ?? "")).exitStatus == 0)
    #expect(
      try site.lines(.keys, ["HOLDFAST_IDENTITY_FILE": identity(site).text])[1]
        == "ok identity: it is that of a recipient; there is no snapshot yet to open")
    let other = site.directory.appending("other.key")
    site.holdfast("key", "generate", other.text)
    let wrong = try site.lines(.keys, ["HOLDFAST_IDENTITY_FILE": other.text])[1]
    #expect(
      wrong.hasPrefix("failed identity: none of the identities at hand opens the next snapshot; it is sealed to "),
      "\(wrong)")
  }

  @Test func thePassphraseIsTriedBesideAnIdentity() throws {
    let site = Site()
    let file = site.directory.appending("passphrase")
    TestFiles.write("several words", to: file)
    TestFiles.setMode(file, 0o600)
    let variables = ["HOLDFAST_PASSPHRASE_FILE": file.text]
    #expect(site.holdfast("init", "-r", "shop", "--passphrase", variables: variables).exitStatus == 0)
    #expect(
      try site.lines(.keys, variables)[1]
        == "ok passphrase: it is that of a recipient; there is no snapshot yet to open")
    site.holdfast("backup", "orders")
    #expect(try site.lines(.keys, variables)[1] == "ok passphrase: it opens the newest snapshot, ID of orders")
    TestFiles.write("other words", to: file)
    let wrong = try site.lines(.keys, variables)[1]
    #expect(wrong.hasPrefix("failed passphrase: the passphrase is wrong\nHINT: It is that of none of "), "\(wrong)")
    #expect(!wrong.contains("other words"))
  }
}
