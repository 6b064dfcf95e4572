// A bot as they are built on golang.org/x/crypto/ssh: one command, or a shell on a terminal.
//
// go build -o bot bench/clients/bot.go; bot HOST:PORT USER PASSWORD COMMAND (empty: a shell)
package main

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
)

func main() {
	config := &ssh.ClientConfig{User: os.Args[2], Auth: []ssh.AuthMethod{ssh.Password(os.Args[3])},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 20 * time.Second}
	client, err := ssh.Dial("tcp", os.Args[1], config)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	session, err := client.NewSession()
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if os.Args[4] != "" {
		out, err := session.CombinedOutput(os.Args[4])
		fmt.Print(string(out))
		if err != nil {
			os.Exit(1)
		}
		return
	}
	var out bytes.Buffer
	session.Stdout = &out
	in, _ := session.StdinPipe()
	session.RequestPty("xterm", 24, 80, ssh.TerminalModes{})
	if err := session.Shell(); err != nil {
		os.Exit(1)
	}
	in.Write([]byte("uname -s\nexit\n"))
	session.Wait()
	fmt.Print(out.String())
}
