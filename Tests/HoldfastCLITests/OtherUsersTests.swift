import HoldfastModel
import HoldfastTestSupport
import Testing

/// What root has configured for itself is no noise for other users of the machine.
@Suite(.requires(.root, .overlayMounts)) struct OtherUsersTests {
  private let tool = SealedTool()

  /// Runs a script as root on a machine without a configuration.
  private func withOwnEtc(_ script: String) -> ProcessResult {
    TestFiles.write(
      """
      \(script)
      """, to: tool.directory.appending("script"))
    TestFiles.setMode(tool.directory.path, 0o755)
    var start = RunningProcess.Start(OwnMachine(in: tool.directory.path).prefix + ["sh", "script"])
    start.environment = tool.tool.environment
    start.environment["HOLDFAST_CONFIG_DIR"] = nil
    start.directory = tool.directory.path
    return RunningProcess(start).wait()
  }

  @Test func theKeyOfRootIsNoNewsForOthers() throws {
    let recipient = tool.generate("root")
    let result = withOwnEtc(
      """
      cp '\(Tool.binary.text)' holdfast
      HOLDFAST_STATE_DIR=$PWD/state ./holdfast init -r sealed --recipient \(recipient) --quiet || exit 1
      stat -c '%a %n' /etc/holdfast /etc/holdfast/writer.key
      mkdir n n/source; echo 1 > n/source/f; chown -R nobody n
      as() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH ./holdfast "$@"; }
      as init --unsealed -r n/repository --quiet
      try() { as backup n/source -r n/repository --quiet 2>err; echo "$1: $? $(head -c 60 err)"; }
      try key
      chmod 700 /etc/holdfast; try closed
      chmod 755 /etc/holdfast; echo 'repositories: [' > /etc/holdfast/holdfast.yaml; chmod 600 /etc/holdfast/holdfast.yaml; try secret
      mkdir -m 700 /etc/holdfast/conf.d; rm /etc/holdfast/holdfast.yaml; try folder
      echo 'repositories: [' > /etc/holdfast/holdfast.yaml; rmdir /etc/holdfast/conf.d; try broken
      """)
    #expect(result.error == "")
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(
      lines.dropLast() == [
        "755 /etc/holdfast", "600 /etc/holdfast/writer.key", "key: 0 ", "closed: 0 ", "secret: 0 ", "folder: 0 ",
      ])
    #expect(lines.last?.hasPrefix("broken: 0 holdfast: WARNING: ") == true, "\(lines)")
  }

  /// Nothing of the configuration counts for whoever may not read all of it: who misses what it says learns that it is
  /// there.
  @Test func whoMissesWhatIsConfiguredLearnsThatItMayNotBeRead() throws {
    let result = withOwnEtc(
      """
      cp '\(Tool.binary.text)' holdfast
      mkdir -p /etc/holdfast/conf.d
      echo 'repositories: {shop: {path: /backup/shop}}' > /etc/holdfast/holdfast.yaml
      echo 'sources: {orders: {path: /srv/orders}}' > /etc/holdfast/conf.d/orders.yaml
      chmod -R a+rX /etc/holdfast; chmod 600 /etc/holdfast/conf.d/orders.yaml
      as() { setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH ./holdfast "$@"; }
      for command in list run 'backup orders -r nowhere'; do as $command 2>&1; echo $?; done
      mkdir n; chown nobody n; as init --unsealed -r n/r --quiet; as list -r n/r > list; echo $?
      """)
    let forbidden =
      "and this user may not read /etc/holdfast/conf.d/orders.yaml, without which the configuration of the machine does not count"
    let instead = "; or let this user read all files of the configuration (chgrp, chmod g+r)."
    #expect(
      result.output == """
        holdfast: no repository is named, \(forbidden)
        HINT: Say --repository DIR, or set HOLDFAST_REPOSITORY\(instead)
        2
        holdfast: no configuration is there that names sources to run for, \(forbidden)
        HINT: Name one of your own with --config FILE\(instead)
        2
        holdfast: there is no directory orders here, \(forbidden)
        HINT: Name a directory that is there\(instead)
        2
        0

        """)
    #expect(result.error == "")
  }
}
