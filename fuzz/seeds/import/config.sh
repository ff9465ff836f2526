#VIP地址
VIP=192.168.192.161

#本机的IP地址
LOCALIP=    <--- 本机IP, 告警通知将使用这个IP

#alarm url
ALARM="http://172.17.57.241/simplealarm"

#Redis端口地址，注意必须与$CONFIG文件中的端口一致
PORT=6000

#Redis的进程号记录文件，注意与$CONFIG中的配置一致
PIDFILE=/var/run/redis.keepalived.pid

#Redis配置文件
CONFIG=/export/App/redis-3.0.2/redis.conf

#Redis命令路径
CLI=/export/App/redis-3.0.2/bin/redis-cli
SERVER=/export/App/redis-3.0.2/bin/redis-server
