import Glibc
import HoldfastModel
import HoldfastTestSupport
import Testing

/// How a mount ends, and what is told when something is wrong.
@Suite(.requires(.fuse)) struct MountEndTests {
  private func shop() -> Tool {
    let tool = Tool()
    TestFiles.write("an order", to: tool.source.appending("order"))
    tool.backUp()
    return tool
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func aSignalUnmounts(signal: Int32) async throws {
    let tool = shop()
    let mount = try await TestMount(tool)
    #expect(mount.isMounted)
    #expect(TestFiles.read(mount.path.appending("source/latest/order")) == Array("an order".utf8))
    await mount.endWell(signal)
    #expect(TestFiles.names(in: mount.path) == [])
  }

  @Test func whoUnmountsItEndsIt() async throws {
    let tool = shop()
    let mount = try await TestMount(tool, "--quiet")
    #expect(tool.other("fusermount3", "-u", mount.path.text).exitStatus == 0)
    let end = await mount.process.end()
    #expect(end.exitStatus == 0 && end.error == "" && end.output == "", "\(end.error)")
  }

  /// A shell that stands in it keeps nobody from ending it.
  @Test func aMountInUseIsTakenAway() async throws {
    let tool = shop()
    let mount = try await TestMount(tool)
    let opened = open(mount.path.appending("source/latest/order").text, O_RDONLY)
    #expect(opened >= 0)
    let end = await mount.end()
    #expect(end.exitStatus == 0 && !mount.isMounted)
    #expect(end.error == TestMount.inUse(mount.path))
    var status = stat()
    #expect(fstat(opened, &status) == 0 || errno == ENOTCONN || errno == ECONNABORTED)
    close(opened)
  }

  @Test func aKilledMountIsClearedByHand() async throws {
    let tool = shop()
    let mount = try await TestMount(tool)
    #expect(await mount.end(SIGKILL).exitStatus == -SIGKILL)
    #expect(mount.isMounted)
    let refused = tool.run("mount", "mounted")
    #expect(refused.exitStatus == 1)
    #expect(
      tool.plain(refused.error) == """
        holdfast: a mount is left on DIR/mounted, whose process has ended
        HINT: Run `fusermount3 -u DIR/mounted`, or as root `umount DIR/mounted`.

        """)
    #expect(tool.other("fusermount3", "-u", mount.path.text).exitStatus == 0)
    #expect(!mount.isMounted)
  }

  // MARK: Damage and keys

  /// Of a damaged file the programs learn that it cannot be read, and the operator why; the others are read.
  @Test func damageIsAnErrorOfReadingAndATruthfulWarning() async throws {
    let tool = Tool()
    var random = SeededRandom(seed: 3)
    TestFiles.write(random.bytes(3 << 20), to: tool.source.appending("orders.db"))
    tool.backUp()
    TestFiles.write(random.bytes(100_000), to: tool.source.appending("sound"))
    tool.backUp()
    let archive = try #require(
      TestFiles.allFiles(in: tool.repository).first { $0.text.contains("/0000000001/archive-") })
    let bytes = try #require(TestFiles.read(archive))
    TestFiles.overwrite(archive, at: 1_000_000, with: [bytes[1_000_000] ^ 1])
    let mount = try await TestMount(tool)
    let damaged = tool.other("cat", mount.path.appending("source/latest/orders.db").text)
    #expect(damaged.exitStatus == 1 && damaged.error.contains("Input/output error"), "\(damaged.error)")
    let sound = TestFiles.read(mount.path.appending("source/latest/sound"))
    #expect(sound == TestFiles.read(tool.source.appending("sound")))
    let start = TestFiles.read(mount.path.appending("source/latest/orders.db"), at: 0, count: 4096)
    #expect(start == TestFiles.read(tool.source.appending("orders.db"), at: 0, count: 4096))
    let end = await mount.end()
    #expect(
      tool.plain(end.error).prefixMatch(
        of:
          /holdfast: WARNING: orders\.db in snapshot ID of source cannot be read: sources\/source\/0000000001\/archive-LONGID is damaged: [^\n]+\nHINT: Run `holdfast verify --data` to see everything that is damaged and what can still be restored\.\n/
      ) != nil, "\(end.error)")
  }

  /// An older snapshot is not taken for the newest.
  @Test func withoutTheNewestSnapshotThereIsNoLatest() async throws {
    let tool = shop()
    TestFiles.write("another", to: tool.source.appending("another"))
    tool.backUp()
    let manifest = tool.repository.appending("sources/source/0000000002/manifest.json")
    TestFiles.overwrite(manifest, at: 100, with: Array("damage".utf8))
    let mount = try await TestMount(tool)
    let names = TestFiles.names(in: mount.path.appending("source"))
    #expect(names.count == 1 && names[0].hasSuffix("Z"))
    #expect(!TestFiles.exists(mount.path.appending("source/latest")))
    #expect(TestFiles.read(mount.path.appending("source/\(names[0])/order")) == Array("an order".utf8))
    let end = await mount.end()
    #expect(
      end.error.hasPrefix("holdfast: WARNING: sources/source/0000000002/manifest.json is damaged: "), "\(end.error)")
    #expect(end.output.contains("mounted 1 snapshot of 1 source"))
  }

  @Test func aSealedRepositoryIsShownToItsIdentity() async throws {
    let sealed = SealedTool()
    sealed.makeRepository()
    #expect(sealed.run("backup", "source", "--quiet").exitStatus == 0)
    TestFiles.makeDirectory(sealed.directory.appending("elsewhere"))
    for options in [[], ["--snapshot", "latest"]] {
      let refused = sealed.run(["mount", "elsewhere"] + options)
      #expect(refused.exitStatus == 12, "\(refused.error)")
    }
    let mount = try await TestMount(sealed.tool, "--identity", sealed.identity.text) {
      $0.hasOwnSession = true
      $0.environment["HOLDFAST_WRITER_KEY_FILE"] = sealed.writerKey.text
    }
    #expect(TreeDescription(of: mount.snapshot()) == TreeDescription(of: sealed.source))
    await mount.endWell()
  }

  // MARK: Refusals

  @Test func aDirectoryThatDoesNotServeIsRefused() throws {
    let tool = shop()
    TestFiles.makeDirectory(tool.directory.appending("full"))
    TestFiles.write("x", to: tool.directory.appending("full/x"))
    TestFiles.makeDirectory(tool.repository.appending("here"))
    TestFiles.makeDirectory(tool.source.appending("here"))
    let told = [
      "absent": "there is no directory DIR/absent\nHINT: Make it first: mkdir DIR/absent",
      "full": "the directory DIR/full is not empty\nHINT: Name an empty directory.",
      "full/x": "DIR/full/x is not a directory\nHINT: Name an empty directory.",
      "repository/here":
        "the directory DIR/repository/here and the repository DIR/repository lie in one another\nHINT: Name a directory elsewhere.",
      "source/here":
        "the directory DIR/source/here lies in the source DIR/source: the next backup would capture what is mounted there\nHINT: Name a directory elsewhere.",
    ]
    for (name, message) in told {
      let result = tool.run("mount", name)
      #expect(result.exitStatus == 1 && tool.plain(result.error) == "holdfast: \(message)\n", "\(result.error)")
    }
    let several = tool.run("mount", "full", "--snapshot", "latest", "--name", "a", "--name", "b")
    #expect(several.exitStatus == 2)
    #expect(several.error.hasPrefix("holdfast: --snapshot shows one snapshot, of one source: give --name once\n"))
    let unknown = tool.run("mount", "full", "--name", "another")
    #expect(unknown.exitStatus == 1 && unknown.error.contains("there is no source another in"), "\(unknown.error)")
  }

  /// Runs a script as root in mounts of its own, where /dev has what it makes.
  private func run(apart script: String, _ tool: Tool) -> ProcessResult {
    tool.other(
      "unshare", "--mount", "--propagation", "private", "bash", "-euc",
      "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n: > said\n" + script, "bash",
      Tool.binary.text)
  }

  @Test(.requires(.root, .mounts)) func aMachineWithoutFUSEIsTold() throws {
    let tool = shop()
    let result = run(apart: "mkdir mnt; mount -t tmpfs none /dev; \"$1\" mount mnt", tool)
    #expect(result.exitStatus == 1)
    #expect(
      result.error == """
        holdfast: there is no /dev/fuse, which a mount needs
        HINT: Run `modprobe fuse` as root; a container needs the device /dev/fuse.

        """)
  }

  // MARK: What else is mounted

  /// Whoever may rename the parent must not make root unmount something else.
  @Test(.requires(.root, .mounts)) func onlyItsOwnMountIsUnmounted() throws {
    let tool = shop()
    let result = run(
      apart: """
        mkdir -p place/mnt other/mnt
        "$1" mount place/mnt > said &
        until grep -q Ctrl said; do kill -0 $!; sleep 0.05; done
        mv place moved; ln -s other place; mount -t tmpfs foreign other/mnt
        kill $!; wait $!
        grep -c "^foreign $PWD/other/mnt " /proc/mounts
        if grep -q " $PWD/moved/mnt " /proc/mounts; then echo left; fi
        """, tool)
    #expect(result.exitStatus == 0 && result.output == "1\n" && result.error == "", "\(result.output)\(result.error)")
  }

  /// What was mounted there after somebody took the snapshots away stays.
  @Test(.requires(.root, .mounts)) func whatIsMountedInItsPlaceStays() throws {
    let tool = shop()
    let result = run(
      apart: """
        mkdir mnt
        "$1" mount mnt > said &
        until grep -q Ctrl said; do kill -0 $!; sleep 0.05; done
        exec 5< mnt/source/latest/order
        umount -l mnt; mount -t tmpfs foreign mnt
        kill $!; wait $!
        grep -c "^foreign $PWD/mnt " /proc/mounts
        """, tool)
    #expect(result.exitStatus == 0 && result.output == "1\n", "\(result.output)\(result.error)")
    #expect(result.error == TestMount.inUse(tool.directory.appending("mnt")))
  }

  @Test(.requires(.root, .mounts)) func whatIsMountedOverItStaysAndIsTold() throws {
    let tool = shop()
    let result = run(
      apart: """
        mkdir mnt
        "$1" mount mnt > said &
        until grep -q Ctrl said; do kill -0 $!; sleep 0.05; done
        mount -t tmpfs foreign mnt
        kill $!; wait $! || echo $?
        grep -c "^foreign $PWD/mnt " /proc/mounts
        umount mnt; umount mnt
        """, tool)
    #expect(result.exitStatus == 0 && result.output == "1\n1\n", "\(result.output)\(result.error)")
    #expect(
      tool.plain(result.error) == """
        holdfast: something else is mounted on DIR/mnt by now: the snapshots below it could not be unmounted
        HINT: As root, run `umount DIR/mnt` for what is mounted over them, then once more for them.

        """)
  }

  // MARK: Sources

  /// Every source counts: those that are not shown, those that are only configured, and what a bind mount shows.
  @Test func aDirectoryInAnySourceIsRefused() throws {
    let tool = shop()
    for name in ["second", "second/here", "third", "third/here"] {
      TestFiles.makeDirectory(tool.directory.appending(name))
    }
    TestFiles.write("x", to: tool.directory.appending("second/x"))
    #expect(tool.run("backup", "second", "--quiet").exitStatus == 0)
    TestFiles.makeDirectory(tool.configuration)
    let configuration = tool.configuration.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories: {shop: {path: '\(tool.directory.path.text)/another'}}
      sources: {third: {path: '\(tool.directory.path.text)/third'}}
      """, to: configuration)
    TestFiles.setMode(configuration, 0o644)
    for name in ["second", "third"] {
      let result = tool.run("mount", "\(name)/here", "--name", "source")
      #expect(result.exitStatus == 1)
      #expect(
        tool.plain(result.error) == """
          holdfast: the directory DIR/\(name)/here lies in the source DIR/\(name): the next backup would capture what is mounted there
          HINT: Name a directory elsewhere.

          """)
    }
  }

  @Test(.requires(.root, .mounts)) func aSourceIsRecognisedBehindABindMount() throws {
    let tool = shop()
    TestFiles.makeDirectory(tool.source.appending("here"))
    let result = run(
      apart: "mkdir view; mount --bind source/here view; mkdir view/mnt; \"$1\" mount view/mnt", tool)
    #expect(result.exitStatus == 1)
    #expect(
      tool.plain(result.error).hasPrefix("holdfast: the directory DIR/view/mnt lies in the source DIR/source: "),
      "\(result.error)")
  }

  /// A mount that came into a source by another way is not captured.
  @Test(.requires(.root, .mounts)) func aBackupDoesNotCaptureSnapshots() throws {
    let tool = shop()
    TestFiles.makeDirectory(tool.source.appending("here"))
    let result = run(
      apart: """
        mkdir mnt
        "$1" mount mnt > said &
        until grep -q Ctrl said; do kill -0 $!; sleep 0.05; done
        mount --bind mnt source/here
        "$1" backup source --quiet 2> told || echo $?
        cat told
        umount source/here
        kill $!; wait $!
        "$1" show latest --files --name source
        """, tool)
    #expect(
      result.exitStatus == 0 && result.output.hasPrefix("3\n") && result.output.contains("here")
        && result.output.contains("snapshots are mounted there (holdfast mount)")
        && !result.output.contains("here/source"), "\(result.output)\(result.error)")
  }

  // MARK: Other users

  /// A user without rights mounts with fusermount3; nobody else sees anything, not even root.
  @Test(.requires(.root, .mounts)) func aUserWithoutRightsMountsForHimself() throws {
    let tool = shop()
    for place in [tool.directory.path, tool.repository] { tool.other("chmod", "-R", "a+rX", place.text) }
    let script = """
      mount -t tmpfs -o mode=755 none /dev
      mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/fuse c 10 229
      mkdir mnt home; chown 65534:65534 mnt home
      cp "$1" program; chmod 755 program
      nobody=(env HOME=$PWD/home HOLDFAST_STATE_DIR=$PWD/home HOLDFAST_CACHE_DIR=$PWD/home)
      nobody+=(setpriv --reuid=65534 --regid=65534 --clear-groups)
      "${nobody[@]}" ./program mount mnt > said &
      until grep -q mounted said; do kill -0 $!; sleep 0.05; done
      "${nobody[@]}" cat mnt/source/latest/order
      if ls mnt 2>/dev/null; then echo root sees it; fi
      kill $!; wait $!
      if grep -q " $PWD/mnt " /proc/mounts; then echo left; fi
      """
    let result = run(apart: script, tool)
    #expect(result.exitStatus == 0 && result.output == "an order", "\(result.output)\(result.error)")
  }

  /// The directories above the source may have kept others out, and are not in a snapshot: so only root enters it.
  @Test(.requires(.root, .mounts)) func othersEnterNoSnapshotUnlessThatIsSaid() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o755)
    TestFiles.setMode(tool.source, 0o755)
    TestFiles.write("an order", to: tool.source.appending("all"))
    TestFiles.setMode(tool.source.appending("all"), 0o644)
    tool.backUp()
    for options in ["", "--snapshot latest"] {
      let place = options.isEmpty ? "mnt/source/latest" : "mnt"
      let script = """
        mkdir mnt
        "$1" mount mnt --allow-other \(options) > said &
        until grep -q Ctrl said; do kill -0 $!; sleep 0.05; done
        setpriv --reuid=65534 --regid=65534 --clear-groups cat \(place)/all 2>&1 | sed 's/.*: //'
        stat -L -c '%a %u' \(place); cat \(place)/all; echo
        grep other said
        kill $!; wait $!; rmdir mnt
        """
      let result = run(apart: script, tool)
      #expect(
        result.exitStatus == 0
          && result.output == """
            Permission denied
            700 0
            an order
              other users see which snapshots there are; only root enters them (see --ignore-parents)

            """,
        "\(result.output)\(result.error)")
    }
    let wrong = tool.run("mount", "mnt", "--ignore-parents")
    #expect(wrong.exitStatus == 2)
    #expect(
      wrong.error.hasPrefix("holdfast: --ignore-parents says what other users may do: give --allow-other, too\n"),
      "\(wrong.error)")
  }

  /// With --allow-other --ignore-parents, owners and modes count.
  @Test(.requires(.root, .mounts)) func othersGetWhatOwnersAndModesGive() throws {
    let tool = Tool()
    TestFiles.setMode(tool.directory.path, 0o755)
    for (name, mode) in [("all", UInt32(0o644)), ("owner", 0o600)] {
      TestFiles.write("an order", to: tool.source.appending(name))
      TestFiles.setMode(tool.source.appending(name), mode)
    }
    TestFiles.makeDirectory(tool.source.appending("closed"), mode: 0o700)
    TestFiles.write("hidden", to: tool.source.appending("closed/all"))
    tool.backUp()
    let script = """
      mkdir mnt
      "$1" mount mnt --allow-other --ignore-parents > said &
      until grep -q mounted said; do kill -0 $!; sleep 0.05; done
      nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
      nobody cat mnt/source/latest/all; echo
      for refused in owner closed/all; do nobody cat mnt/source/latest/$refused 2>&1 | sed 's/.*: //'; done
      cat mnt/source/latest/closed/all; echo
      kill $!; wait $!
      """
    let result = run(apart: script, tool)
    #expect(
      result.exitStatus == 0 && result.output == "an order\nPermission denied\nPermission denied\nhidden\n",
      "\(result.output)\(result.error)")
  }
}
